package kafka_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"drawbridge/internal/stream"
	"drawbridge/internal/stream/kafka"
)

// authority signs certificates of brokers and clients, and writes them to files.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), pool: x509.NewCertPool()}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	a.write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) write(t testing.TB, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// issue makes a certificate, in NAME.pem, with its key in NAME.key.
func (a *authority) issue(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", "CERTIFICATE", der)
	a.write(t, name+".key", "PRIVATE KEY", private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestSecure: who encrypts and signs in may fill the log and read it, and nobody else; no error shows the password.
func TestSecure(t *testing.T) {
	const secret = "correct horse battery staple"
	a := newAuthority(t)
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{a.issue(t, "broker")}, ClientCAs: a.pool}
	strict := config.Clone()
	strict.ClientAuth = tls.RequireAndVerifyClientCert
	a.issue(t, "client")
	for name, text := range map[string]string{"password": secret + "\n", "wrong": "wrong"} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sasl := func(mechanism string) []kfake.Opt {
		return []kfake.Opt{kfake.EnableSASL(), kfake.Superuser(mechanism, "u", secret)}
	}
	for _, c := range []struct {
		name    string
		tls     *tls.Config
		brokers []kfake.Opt
		query   string // with DIR for the folder of files
		env     string
		wrong   bool
	}{
		{name: "TLS", tls: config, query: "ca=DIR/ca.pem"},
		{name: "an authority that is not trusted", tls: config, wrong: true},
		{name: "a client's certificate", tls: strict, query: "ca=DIR/ca.pem&cert=DIR/client.pem&key=DIR/client.key"},
		{name: "no certificate", tls: strict, query: "ca=DIR/ca.pem", wrong: true},
		{name: "PLAIN", tls: config, brokers: sasl("PLAIN"), query: "ca=DIR/ca.pem&sasl=PLAIN&user=u&password=DIR/password"},
		{name: "PLAIN from the environment", tls: config, brokers: sasl("PLAIN"), query: "ca=DIR/ca.pem&sasl=PLAIN&user=u", env: secret},
		{name: "PLAIN, wrong", tls: config, brokers: sasl("PLAIN"), query: "ca=DIR/ca.pem&sasl=PLAIN&user=u&password=DIR/wrong", wrong: true},
		{name: "no password", tls: config, brokers: sasl("PLAIN"), query: "ca=DIR/ca.pem&sasl=PLAIN&user=u", wrong: true},
		{name: "SCRAM-SHA-256", brokers: sasl("SCRAM-SHA-256"), query: "sasl=SCRAM-SHA-256&user=u&password=DIR/password"},
		{name: "SCRAM-SHA-512", tls: config, brokers: sasl("SCRAM-SHA-512"), query: "ca=DIR/ca.pem&sasl=SCRAM-SHA-512&user=u&password=DIR/password"},
		{name: "SCRAM-SHA-512, wrong", tls: config, brokers: sasl("SCRAM-SHA-512"), query: "ca=DIR/ca.pem&sasl=SCRAM-SHA-512&user=u", env: "wrong", wrong: true},
		{name: "nobody", brokers: sasl("SCRAM-SHA-512"), wrong: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(kafka.PasswordVariable, c.env)
			if c.tls != nil {
				c.brokers = append(c.brokers, kfake.TLS(c.tls))
			}
			_, url := start(t, c.brokers...)
			if c.tls != nil {
				url = strings.Replace(url, "kafka:", "kafka+tls:", 1)
			}
			conf, err := kafka.ParseURL(url + "?" + strings.ReplaceAll(c.query, "DIR", a.dir))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			if c.wrong {
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			}
			defer cancel()
			err = through(ctx, conf)
			if (err != nil) != c.wrong {
				t.Fatalf("error %v, want one: %t", err, c.wrong)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || c.env != "" && strings.Contains(err.Error(), "wrong")) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// through puts an event into a log and takes it out.
func through(ctx context.Context, c kafka.Config) error {
	to, err := kafka.OpenSender(ctx, c)
	if err != nil {
		return err
	}
	defer to.Close()
	from := one{stream.Batch{Input: "in", Cluster: clusterOf(0), Body: bytes.NewBuffer(refusal(0, 0, 0))}}
	if _, err := stream.Forward(ctx, from, to, "", nil); err != nil {
		return err
	}
	l, err := kafka.Open(ctx, c)
	if err != nil {
		return err
	}
	defer l.Close()
	n := to.PartitionOf(accountID(0))
	checkpoint, err := l.Store(n).Load(ctx)
	if err != nil {
		return err
	}
	read, stop := context.WithCancel(ctx)
	err = l.Stream(n, checkpoint).Receive(read, func(context.Context, stream.Batch) error { stop(); return nil })
	if read.Err() != nil && ctx.Err() == nil {
		err = nil
	}
	stop()
	return err
}

// TestMSK: what is sent to sign in at Amazon MSK is what AWS's own library signs for the same request (MSK Developer Guide,
// "IAM access control"; no broker of MSK was asked).
func TestMSK(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1") // the name of the host does not tell it here
	key := awssdk.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "to/ken=="}
	a := newAuthority(t)
	c, at9092 := start(t, kfake.TLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{a.issue(t, "broker")}}))
	got := make(chan []byte, 100)
	c.ControlKey(int16(kmsg.SASLHandshake), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := q.ResponseKind().(*kmsg.SASLHandshakeResponse)
		answer.SupportedMechanisms = []string{q.(*kmsg.SASLHandshakeRequest).Mechanism}
		return answer, nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		got <- bytes.Clone(q.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		answer := q.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.SASLAuthBytes = []byte(`{"version":"2020_10_22","request-id":"r"}`)
		return answer, nil, true
	})
	conf, err := kafka.ParseURL(strings.Replace(at9092, "kafka:", "kafka+tls:", 1) + "?sasl=AWS_MSK_IAM&ca=" + a.dir + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	conf.Credentials = credentials.StaticCredentialsProvider{Value: key}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := through(ctx, conf); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	if err := json.Unmarshal(<-got, &said); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said["user-agent"], "drawbridge") {
		t.Errorf("user agent %q", said["user-agent"])
	}
	at, err := time.Parse("20060102T150405Z", said["x-amz-date"])
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1/?Action=kafka-cluster%3AConnect&X-Amz-Expires="+said["x-amz-expires"], http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	const none = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, key, r, none, "kafka-cluster", "eu-central-1", at)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"version": "2020_10_22", "host": "127.0.0.1", "user-agent": said["user-agent"]}
	for k := range u.Query() {
		want[strings.ToLower(k)] = u.Query().Get(k)
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("-signed by the SDK +sent:\n%s", diff)
	}
}
