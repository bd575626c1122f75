package s3

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// object is one that was announced.
type object struct {
	bucket, key string
	version     string // what tells it from another object of the same name: an ETag, a version, a sequencer; may be ""
	region      string // of the bucket; "" if the message does not tell
}

func (o object) String() string { return "s3://" + o.bucket + "/" + o.key }

// maxWrapped is how often a notification may be wrapped in another: EventBridge's in SNS's in SNS's.
const maxWrapped = 3

var errNoAnnouncement = errors.New("not a message about objects in S3")

// announced reads a message of the queue. The objects it announces may be none: a test event, a removal. These are its shapes:
// S3's own notification, also through an SNS topic, raw or not (Amazon S3 User Guide, "Event message structure", 2026-11);
// EventBridge's "Object Created" (the same, "EventBridge event message structure"); CloudTrail's notification of a delivery,
// through SNS (CloudTrail User Guide, "Configuring Amazon SNS notifications for CloudTrail", 2026-11).
func announced(body string) ([]object, error) {
	for range maxWrapped {
		var m message
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			return nil, errNoAnnouncement
		}
		if m.Type != "Notification" || m.Message == "" {
			return m.objects()
		}
		body = m.Message
	}
	return nil, errNoAnnouncement
}

// message is all shapes together.
type message struct {
	Type, Message string // SNS

	Service, Event string // S3, when notifications are turned on
	Records        []struct {
		EventSource string `json:"eventSource"`
		EventName   string `json:"eventName"`
		AWSRegion   string `json:"awsRegion"`
		S3          entity `json:"s3"`
	}

	Source     string `json:"source"` // EventBridge
	DetailType string `json:"detail-type"`
	Region     string `json:"region"`
	Detail     entity `json:"detail"`

	S3Bucket    string   `json:"s3Bucket"` // CloudTrail
	S3ObjectKey []string `json:"s3ObjectKey"`
}

type entity struct {
	Bucket struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		ETag      string `json:"etag"` // eTag with S3; names match without case
		Sequencer string `json:"sequencer"`
	} `json:"object"`
}

func (m *message) objects() (all []object, err error) {
	switch {
	case m.Source == "aws.s3" && m.DetailType == "Object Created":
		all = append(all, m.Detail.object(m.Detail.Object.Key, m.Region))
	case m.Source == "aws.s3" && m.DetailType != "", m.Service == "Amazon S3" && m.Event == "s3:TestEvent":
	case m.S3Bucket != "":
		for _, key := range m.S3ObjectKey {
			all = append(all, object{bucket: m.S3Bucket, key: key})
		}
	case len(m.Records) > 0:
		for _, r := range m.Records {
			if r.EventSource != "aws:s3" {
				return nil, errNoAnnouncement
			}
			if !strings.HasPrefix(r.EventName, "ObjectCreated:") {
				continue
			}
			// The key is written as in a form, in S3's own notifications only.
			key, err := url.QueryUnescape(r.S3.Object.Key)
			if err != nil {
				return nil, errNoAnnouncement
			}
			all = append(all, r.S3.object(key, r.AWSRegion))
		}
	default:
		return nil, errNoAnnouncement
	}
	kept := all[:0]
	for _, o := range all {
		if o.bucket == "" || o.key == "" {
			return nil, errNoAnnouncement
		}
		if !skipped(o.key) {
			kept = append(kept, o)
		}
	}
	return kept, nil
}

// regionForm keeps what somebody wrote into a message from becoming a part of a host's name.
var regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]{1,12}){2,4}$`)

func (e entity) object(key, region string) object {
	if !regionForm.MatchString(region) {
		region = ""
	}
	return object{bucket: e.Bucket.Name, key: key, version: e.Object.ETag + " " + e.Object.Sequencer, region: region}
}

// skipped are objects beside logs that hold none: CloudTrail's digests, and the markers of folders.
func skipped(key string) bool {
	return strings.Contains(key, "/CloudTrail-Digest/") || strings.HasSuffix(key, "/")
}
