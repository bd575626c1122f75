// Package oracle holds exports of detections against systems that run them: event patterns in Quamina, SQL in DuckDB, and the
// query DSL of Elasticsearch and OpenSearch on an index of Bluge, on the same events as drawbridge's own engine. What a verdict
// calls exact has to find exactly the same; what it calls approximated, and not missing anything, all of it.
//
// It is a module of its own, outside the product's dependencies; the SQL needs cgo. No system is the one that the export is
// for: Quamina knows fewer operators than EventBridge (patterns with others are counted and left out), DuckDB gets Trino's
// functions as macros and Go functions of the same meaning, and of Bluge only the index is used, under a reader of the DSL.
package oracle
