// Package oracle holds exports of detections against systems that run them: event patterns in Quamina, and SQL in DuckDB,
// on the same events as drawbridge's own engine. What a verdict calls exact has to find exactly the same.
//
// It is a module of its own, outside the product's dependencies; the SQL needs cgo. Neither system is the one that the export
// is for: Quamina knows fewer operators than EventBridge (patterns with others are counted and left out), and DuckDB gets
// Trino's functions as macros and Go functions of the same meaning.
package oracle
