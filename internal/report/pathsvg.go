package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// drawing is a graph of paths as shapes for an SVG, in pixels.
type drawing struct {
	Width, Height int
	Boxes         []box
	Lines         []line
}

// box is a place.
type box struct {
	X, Y, W, H  int
	Class, Kind string
	Texts       []boxText
	Title       string
}

type boxText struct {
	X, Y  int
	Class string
	Text  string
}

// line is a step.
type line struct {
	D      string // the way, as SVG writes it
	Arrow  string // its end
	Class  string
	Labels []boxText
	Title  string
}

// Sizes of the drawing. Text is in a monospaced font of which a character is about charWidth wide.
const (
	boxWidth, boxGap        = 196, 20
	layerGap                = 64
	lineHeight, boxPad      = 15, 8
	charWidth, labelChars   = 7, 26
	bendWidth, drawingPad   = 24, 12
	stepLineHeight, arrowUp = 13, 8
)

// draw lays out a graph of paths from top to bottom.
func draw(g *pathGraph) *drawing {
	edges := make([][2]int, len(g.steps))
	for i, s := range g.steps {
		edges[i] = [2]int{s.from, s.to}
	}
	l := newLayering(len(g.places), edges)
	d := &drawing{}
	center, top, bottom := d.place(g, l)
	for i, s := range g.steps {
		d.line(g, &s, l.routes[i], center, top, bottom)
	}
	d.part()
	return d
}

// part moves labels down that lie on others.
func (d *drawing) part() {
	var taken []boxText
	lies := func(a, b boxText) bool {
		wide := (utf8.RuneCountInString(a.Text) + utf8.RuneCountInString(b.Text)) * charWidth / 2
		return max(a.X-b.X, b.X-a.X) < wide && max(a.Y-b.Y, b.Y-a.Y) < stepLineHeight
	}
	for i := range d.Lines {
		labels := d.Lines[i].Labels
		const tries = 3
		for range tries {
			if !slices.ContainsFunc(labels, func(l boxText) bool { return slices.ContainsFunc(taken, func(o boxText) bool { return lies(l, o) }) }) {
				break
			}
			for j := range labels {
				labels[j].Y += stepLineHeight
			}
		}
		taken = append(taken, labels...)
	}
}

// place sets the boxes, and returns for every node, bends included, its middle, upper and lower edge.
func (d *drawing) place(g *pathGraph, l *layering) (center, top, bottom []int) {
	center, top, bottom = make([]int, len(l.layer)), make([]int, len(l.layer)), make([]int, len(l.layer))
	width := func(v int) int {
		if v < len(g.places) {
			return boxWidth
		}
		return bendWidth
	}
	for _, row := range l.rows {
		total := 2 * drawingPad
		for _, v := range row {
			total += width(v) + boxGap
		}
		d.Width = max(d.Width, total-boxGap)
	}
	y := drawingPad
	for _, row := range l.rows {
		total, height := -boxGap, 0
		for _, v := range row {
			total += width(v) + boxGap
			if v < len(g.places) {
				height = max(height, boxHeight(&g.places[v]))
			}
		}
		x := (d.Width - total) / 2
		for _, v := range row {
			center[v], top[v], bottom[v] = x+width(v)/2, y, y+height
			if v < len(g.places) {
				b := newBox(&g.places[v], x, y)
				b.Y += (height - b.H) / 2
				for i := range b.Texts {
					b.Texts[i].Y += (height - b.H) / 2
				}
				top[v], bottom[v] = b.Y, b.Y+b.H
				d.Boxes = append(d.Boxes, b)
			}
			x += width(v) + boxGap
		}
		y += height + layerGap
	}
	d.Height = y - layerGap + drawingPad
	return center, top, bottom
}

func boxHeight(p *pathPlace) int { return 2*boxPad + lineHeight*(1+len(boxLines(p))) }

// boxLines are the lines of a place's label, broken to fit.
func boxLines(p *pathPlace) []string {
	var lines []string
	for i, text := range p.label() {
		most := 1
		if i == 0 {
			most = 3
		}
		lines = append(lines, broken(text, labelChars, most)...)
	}
	return lines
}

func newBox(p *pathPlace, x, y int) box {
	b := box{X: x, Y: y, W: boxWidth, H: boxHeight(p), Class: "place", Kind: p.kind, Title: p.kind + " " + strings.Join(p.label(), ", ")}
	switch {
	case p.target:
		b.Class += " target"
	case p.starts > 0:
		b.Class += " entry"
	}
	at := y + boxPad + lineHeight - 4
	b.Texts = append(b.Texts, boxText{x + boxWidth/2, at, "kind", p.kind})
	for i, text := range boxLines(p) {
		class := "name"
		if i >= len(broken(p.name, labelChars, 3)) {
			class = "more"
		}
		b.Texts = append(b.Texts, boxText{x + boxWidth/2, at + (i+1)*lineHeight, class, text})
	}
	return b
}

// broken breaks a name into at most so many lines, after a separator where there is one. What does not fit is cut.
func broken(s string, width, most int) []string {
	var lines []string
	for s != "" && len(lines) < most {
		if utf8.RuneCountInString(s) <= width {
			return append(lines, s)
		}
		runes := []rune(s)
		at := width
		for i := width; i > width/2; i-- {
			if strings.ContainsRune("/:-. ,", runes[i-1]) {
				at = i
				break
			}
		}
		lines = append(lines, string(runes[:at]))
		s = string(runes[at:])
	}
	if s != "" && len(lines) > 0 {
		last := []rune(lines[len(lines)-1])
		lines[len(lines)-1] = string(last[:len(last)-1]) + "…"
	}
	return lines
}

// line draws a step through its bends, as a curve that leaves and enters upright.
func (d *drawing) line(g *pathGraph, s *pathStep, route, center, top, bottom []int) {
	var b strings.Builder
	down := len(route) < 2 || top[route[len(route)-1]] >= top[route[0]]
	x, y := center[route[0]], bottom[route[0]]
	if !down {
		y = top[route[0]]
	}
	fmt.Fprintf(&b, "M%d %d", x, y)
	for _, v := range route[1:] {
		in, out := top[v], bottom[v]
		if !down {
			in, out = out, in
		}
		end := v == route[len(route)-1]
		switch {
		case end && down:
			in -= arrowUp
		case end:
			in += arrowUp
		}
		middle := (y + in) / 2
		fmt.Fprintf(&b, " C%d %d %d %d %d %d", x, middle, center[v], middle, center[v], in)
		if x, y = center[v], in; !end {
			fmt.Fprintf(&b, " L%d %d", x, out)
			y = out
		}
	}
	one := line{D: b.String(), Class: "step", Title: s.text()}
	if down {
		one.Arrow = fmt.Sprintf("M%d %dl8 0l-4 %dz", x-4, y, arrowUp)
	} else {
		one.Arrow = fmt.Sprintf("M%d %dl8 0l-4 -%dz", x-4, y, arrowUp)
	}
	if s.possible {
		one.Class += " possible"
	}
	if s.cut {
		one.Class += " cut"
	}
	one.label(g, s, route, center, top, bottom)
	d.Lines = append(d.Lines, one)
}

// label writes the kinds of a step beside the first part of its line: near the end where no other line is.
func (l *line) label(g *pathGraph, s *pathStep, route, center, top, bottom []int) {
	if len(route) < 2 {
		return
	}
	kinds := slices.Clone(s.kinds)
	if len(kinds) > 3 {
		kinds = append(kinds[:2:2], fmt.Sprintf("and %d more", len(s.kinds)-2))
	}
	from, to := route[0], route[1]
	y0, y1 := bottom[from], top[to]
	if y1 < y0 {
		y0, y1 = top[from], bottom[to]
	}
	leaving, entering := 0, 0
	for _, o := range g.steps {
		if o.from == s.from {
			leaving++
		}
		if o.to == to {
			entering++
		}
	}
	at := 0.5
	switch {
	case leaving > 1 && entering < 2:
		at = 0.72
	case leaving < 2 && entering > 1:
		at = 0.28
	}
	// The point on a curve that leaves and enters upright.
	x := float64(center[from]) + float64(center[to]-center[from])*at*at*(3-2*at)
	y := float64(y0) + float64(y1-y0)*(1.5*at*(1-at)+at*at*at) - float64(stepLineHeight*(len(kinds)-1))/2
	for i, k := range kinds {
		l.Labels = append(l.Labels, boxText{int(x), int(y) + i*stepLineHeight + 4, "", k})
	}
}
