package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"drawbridge/internal/stream"
)

// Schemes are those of URLs that ParseURL reads: the second one encrypts.
var Schemes = []string{"kafka", "kafka+tls"}

// PasswordVariable is the environment variable with the password, where the URL names no file.
const PasswordVariable = "DRAWBRIDGE_KAFKA_PASSWORD"

// MSKIAM is the mechanism of Amazon MSK by which a client signs in as an IAM principal.
const MSKIAM = "AWS_MSK_IAM"

// mechanisms are those of SASL.
var mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", MSKIAM}

// Config is a log's place, as a URL says it: kafka://host1:9092,host2:9092/TOPIC?group=NAME, or kafka+tls://…. Secrets stand in
// files or in the environment.
type Config struct {
	Brokers []string
	Topic   string
	// Group is the consumer group in which workers share the partitions, and the prefix of their transactions.
	Group string
	// TLS says to encrypt; CA is the path of the certificates to trust, "" for the system's, and Certificate and Key are the
	// client's, "" for none.
	TLS                  bool
	CA, Certificate, Key string
	// SASL is the mechanism, "" for none: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM. Password is the path of the file
	// with User's password, "" for PasswordVariable.
	SASL, User, Password string
	// Credentials are AWS's, for AWS_MSK_IAM.
	Credentials awssdk.CredentialsProvider
	// Lost is told of records that Kafka deleted before they were read: those of a partition from one offset up to another.
	// Nil if nobody wants to know.
	Lost func(partition int, from, to int64)
}

const form = "want kafka://host:9092[,host:9092]/TOPIC?group=NAME, or kafka+tls://… with &ca=FILE&cert=FILE&key=FILE; with &sasl=SCRAM-SHA-512&user=NAME&password=FILE"

// ParseURL reads a log's URL.
func ParseURL(s string) (Config, error) {
	c := Config{Group: "drawbridge"}
	bad := func(what string) (Config, error) { return c, fmt.Errorf("%q: %s; %s", s, what, form) }
	scheme, rest, _ := strings.Cut(s, "://")
	if !slices.Contains(Schemes, scheme) {
		return bad("not a Kafka URL")
	}
	c.TLS = scheme == Schemes[1]
	rest, query, _ := strings.Cut(rest, "?")
	hosts, topic, _ := strings.Cut(rest, "/")
	c.Brokers, c.Topic = strings.Split(hosts, ","), topic
	switch {
	case strings.Contains(rest, "@"):
		// It may be a password: it is not shown.
		return c, fmt.Errorf("a user before the host of a %s URL; the password belongs in a file; %s", scheme, form)
	case hosts == "":
		return bad("no broker")
	case !isTopic(topic):
		return bad("no topic, or not the name of one")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return bad(err.Error())
	}
	texts := map[string]*string{"group": &c.Group, "ca": &c.CA, "cert": &c.Certificate, "key": &c.Key, "sasl": &c.SASL, "user": &c.User, "password": &c.Password}
	for key := range values {
		text, ok := texts[key]
		if !ok || values.Get(key) == "" {
			return bad(fmt.Sprintf("%s=%s", key, values.Get(key)))
		}
		*text = values.Get(key)
	}
	if what := c.contradiction(); what != "" {
		return bad(what)
	}
	return c, nil
}

// contradiction is what does not go together, "" if all does.
func (c *Config) contradiction() string {
	switch {
	case !c.TLS && c.CA+c.Certificate+c.Key != "":
		return "certificates without kafka+tls"
	case (c.Certificate == "") != (c.Key == ""):
		return "cert and key belong together"
	case c.SASL != "" && !slices.Contains(mechanisms, c.SASL):
		return "sasl=" + c.SASL + ": want " + strings.Join(mechanisms, ", ")
	case !c.TLS && (c.SASL == "PLAIN" || c.SASL == MSKIAM):
		return "sasl=" + c.SASL + " without kafka+tls: whoever listens could sign in"
	case c.SASL == MSKIAM && c.User+c.Password != "":
		return "user and password are none of " + MSKIAM + "'s: it takes AWS's credentials"
	case c.SASL == "" && c.User+c.Password != "":
		return "user and password without sasl"
	case c.SASL != "" && c.SASL != MSKIAM && c.User == "":
		return "sasl without user"
	}
	return ""
}

// isTopic says whether a name is one that Kafka takes for a topic.
func isTopic(s string) bool {
	return s != "" && len(s) <= 200 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// connection is what every client of a log has in common.
func (c *Config) connection() ([]kgo.Opt, error) {
	options := []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.ClientID("drawbridge"), kgo.WithLogger(nil)}
	if c.TLS {
		conf, err := c.encryption()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(conf))
	}
	if c.SASL != "" {
		mechanism, err := c.mechanism()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.SASL(mechanism))
	}
	return options, nil
}

func (c *Config) encryption() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		if conf.RootCAs = x509.NewCertPool(); !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificates", c.CA)
		}
	}
	if c.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

func (c *Config) mechanism() (sasl.Mechanism, error) {
	if c.SASL == MSKIAM {
		if c.Credentials == nil {
			return nil, errors.New(MSKIAM + " without AWS credentials")
		}
		return aws.ManagedStreamingIAM(func(ctx context.Context) (aws.Auth, error) {
			now, err := c.Credentials.Retrieve(ctx)
			return aws.Auth{AccessKey: now.AccessKeyID, SecretKey: now.SecretAccessKey, SessionToken: now.SessionToken, UserAgent: "drawbridge"}, err
		}), nil
	}
	secret := os.Getenv(PasswordVariable)
	if c.Password != "" {
		password, err := os.ReadFile(c.Password)
		if err != nil {
			return nil, err
		}
		secret = strings.TrimSpace(string(password))
	}
	switch {
	case secret == "":
		return nil, errors.New("no password for " + c.User + ": name its file with password=FILE, or set " + PasswordVariable)
	case c.SASL == "PLAIN":
		return plain.Auth{User: c.User, Pass: secret}.AsMechanism(), nil
	case c.SASL == "SCRAM-SHA-256":
		return scram.Auth{User: c.User, Pass: secret}.AsSha256Mechanism(), nil
	}
	return scram.Auth{User: c.User, Pass: secret}.AsSha512Mechanism(), nil
}

// Rights are what the IAM access control of Amazon MSK asks for (MSK Developer Guide, "Common use cases for client authorization
// policy", 2026-11). Who fills the topic takes the first four.
func Rights() []stream.Right {
	return []stream.Right{
		{Action: "kafka-cluster:Connect", On: "the cluster", Why: "connects"},
		{Action: "kafka-cluster:WriteDataIdempotently", On: "the cluster", Why: "stores what is sent twice once"},
		{Action: "kafka-cluster:DescribeTopic", On: "the topic, those of checkpoints and findings", Why: "finds the partitions"},
		{Action: "kafka-cluster:WriteData", On: "the topic (--forward), those of checkpoints and findings (-f)", Why: "stores records"},
		{Action: "kafka-cluster:ReadData", On: "the topic, that of checkpoints", Why: "reads the logs, and goes on where it was"},
		{Action: "kafka-cluster:CreateTopic", On: "the topics of checkpoints and findings", Why: "makes them where they are not there"},
		{Action: "kafka-cluster:DescribeGroup", On: "the group", Why: "shares the partitions among workers"},
		{Action: "kafka-cluster:AlterGroup", On: "the group", Why: "shares the partitions among workers"},
		{Action: "kafka-cluster:DescribeTransactionalId", On: "GROUP/TOPIC/*", Why: "saves checkpoints in transactions"},
		{Action: "kafka-cluster:AlterTransactionalId", On: "GROUP/TOPIC/*", Why: "saves checkpoints in transactions"},
	}
}
