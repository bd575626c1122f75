package oracle

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/kubernetes"

	"drawbridge/internal/lab/kube"
)

// tokens shows that it matters what is in a token: who made it, for which cluster, and that it is signed.
func (w *world) tokens(t *testing.T) {
	who := w.sts.add("arn:aws:iam::"+home+":user/reader-by-row", home, "AIDAROW")
	ours, err := who.token(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := who.token(t.Context(), "staging")
	if err != nil {
		t.Fatal(err)
	}
	stranger := who
	stranger.credentials.SecretAccessKey = "guessed"
	forged, err := stranger.token(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, token := range map[string]string{
		"as the AWS CLI makes it": ours, "as aws-iam-authenticator makes it": generated(t, who),
		"for another cluster": elsewhere, "signed with another secret": forged, "of nobody": "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte("https://sts.amazonaws.com/")),
	} {
		info, _, err := whoami(t.Context(), kubernetes.NewForConfigOrDie(w.config(token)))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = info.Username
	}
	want := map[string]string{
		"as the AWS CLI makes it": "reader-by-row", "as aws-iam-authenticator makes it": "reader-by-row",
		"for another cluster": "", "signed with another secret": "", "of nobody": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who a token is from (-want +got):\n%s", diff)
	}
}

// generated is the token that the real generator makes.
func generated(t *testing.T, who caller) string {
	t.Helper()
	dir, err := kube.BinDir()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "aws-iam-authenticator"), "token", "--cluster-id", cluster)
	cmd.Env = append(os.Environ(), "AWS_REGION="+region, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_ACCESS_KEY_ID="+who.credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+who.credentials.SecretAccessKey, "AWS_SESSION_TOKEN="+who.credentials.SessionToken)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var credential struct{ Status struct{ Token string } }
	if err := json.Unmarshal(out, &credential); err != nil || !strings.HasPrefix(credential.Status.Token, "k8s-aws-v1.") {
		t.Fatalf("no token: %v: %s", err, out)
	}
	return credential.Status.Token
}
