// This file lets real.go declare functions without a body; they are linked to the authenticator's own.
