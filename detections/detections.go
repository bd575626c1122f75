// Package detections holds what drawbridge finds in logs: one Sigma file a detection, with its cases beside it. Every .yml
// is taken; there is no list. What the files mean is in internal/sigma and internal/detect.
package detections

import "embed"

// Files are the detections (*.yml) and their cases (*.txtar).
//
//go:embed *.yml *.txtar
var Files embed.FS
