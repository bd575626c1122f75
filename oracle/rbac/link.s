// This file lets a test declare a function without a body; it is linked to the controller's own.
