package wire

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// EncodeResult writes a query service's answer:
// <XResponse><XResult>…</XResult><ResponseMetadata>…</ResponseMetadata></XResponse>. A nil result leaves
// the XResult element out, as operations without output do.
func EncodeResult(operation, namespace, requestID string, result any) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%sResponse xmlns=%q>", operation, namespace)
	if result != nil {
		if err := xml.NewEncoder(&b).EncodeElement(result, element(operation+"Result")); err != nil {
			return nil, fmt.Errorf("write the result of %s: %w", operation, err)
		}
	}
	b.WriteString("<ResponseMetadata>")
	if err := xml.NewEncoder(&b).EncodeElement(requestID, element("RequestId")); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "</ResponseMetadata></%sResponse>", operation)
	return b.Bytes(), nil
}

// EncodeFlatResult writes EC2's form of an answer, in which the request id and the members stand side by side.
func EncodeFlatResult(operation, namespace, requestID string, result any) ([]byte, error) {
	var inner bytes.Buffer
	if err := xml.NewEncoder(&inner).EncodeElement(result, element("x")); err != nil {
		return nil, fmt.Errorf("write the result of %s: %w", operation, err)
	}
	members := bytes.TrimSuffix(bytes.TrimPrefix(inner.Bytes(), []byte("<x>")), []byte("</x>"))
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%sResponse xmlns=%q>", operation, namespace)
	if err := xml.NewEncoder(&b).EncodeElement(requestID, element("requestId")); err != nil {
		return nil, err
	}
	b.Write(members)
	fmt.Fprintf(&b, "</%sResponse>", operation)
	return b.Bytes(), nil
}

type queryError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// EncodeError writes the error of a query service.
func EncodeError(namespace, requestID, code, message string, status int) ([]byte, error) {
	fault := "Sender"
	if status >= 500 {
		fault = "Receiver"
	}
	return xml.Marshal(queryError{Namespace: namespace, Type: fault, Code: code, Message: message, RequestID: requestID})
}

type flatError struct {
	XMLName   xml.Name `xml:"Response"`
	Code      string   `xml:"Errors>Error>Code"`
	Message   string   `xml:"Errors>Error>Message"`
	RequestID string   `xml:"RequestID"`
}

// EncodeFlatError writes EC2's form of an error.
func EncodeFlatError(requestID, code, message string) ([]byte, error) {
	return xml.Marshal(flatError{Code: code, Message: message, RequestID: requestID})
}

func element(name string) xml.StartElement { return xml.StartElement{Name: xml.Name{Local: name}} }
