// Package oracle compares drawbridge's evaluation of IAM policies with an independent one, iam-simulate,
// on random policies and requests. It holds tests only, in a module of its own: the other evaluator is a
// Node.js program under another licence, installed by npm ci and run as a separate process.
package oracle
