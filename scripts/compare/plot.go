package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Measures of the plot, in pixels. One panel is one shape, with its own scale.
const (
	panelColumns = 2
	panelWidth   = 440
	labelWidth   = 165
	barWidth     = 190 // of the longest one
	barHeight    = 15
	barPitch     = 21
	headHeight   = 26
	panelGap     = 18
	plotMargin   = 16
)

// plotStyle has colours for a light and for a dark page: FastQueue in the darker tone, the peers in grey.
const plotStyle = `<style>
text { font: 12px system-ui, sans-serif; fill: #24292f } .head { font-weight: 600 } .page { fill: #ffffff }
.ours { fill: #3b6ea5 } .peer { fill: #a3acb6 } .range { stroke: #24292f; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
text { fill: #d8dee4 } .page { fill: #16191d } .ours { fill: #6ea3d8 } .peer { fill: #646d77 } .range { stroke: #d8dee4 } }
</style>
`

// plot draws the medians of messages a second as bars, with a line from the lowest round to the highest.
func plot(r *results) string {
	var panels []shape
	for _, s := range r.shapes {
		if !s.oursOnly {
			panels = append(panels, s)
		}
	}
	height := headHeight + len(r.contenders)*barPitch + panelGap
	rows := (len(panels) + panelColumns - 1) / panelColumns
	width, total := 2*plotMargin+panelColumns*panelWidth, 2*plotMargin+headHeight+rows*height
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="Messages a second">`+"\n", width, total, width, total)
	b.WriteString(plotStyle)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d"/>`+"\n", width, total)
	writeText(&b, plotMargin, plotMargin+10, `class="head"`, "Messages a second, median of all rounds (line: lowest to highest)")
	for i, s := range panels {
		drawPanel(&b, r, s, plotMargin+i%panelColumns*panelWidth, plotMargin+headHeight+i/panelColumns*height)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func drawPanel(b *strings.Builder, r *results, s shape, x, y int) {
	writeText(b, x, y+14, `class="head"`, s.title)
	longest := 0.0
	for _, c := range r.contenders {
		if rounds := r.figures[key{s.name, c.name}]; len(rounds) > 0 {
			_, highest := spread(rounds)
			longest = max(longest, highest)
		}
	}
	for i, c := range r.contenders {
		top := y + headHeight + i*barPitch
		writeText(b, x+labelWidth-8, top+12, `text-anchor="end"`, c.title)
		rounds := r.figures[key{s.name, c.name}]
		if len(rounds) == 0 || longest == 0 {
			writeText(b, x+labelWidth, top+12, "", "not measured")
			continue
		}
		lowest, highest := spread(rounds)
		rate := medianFigure(rounds).rate
		at := func(v float64) float64 { return v / longest * barWidth }
		class := map[bool]string{true: "ours", false: "peer"}[c.ours]
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`+"\n", class, x+labelWidth, top, at(rate), barHeight)
		fmt.Fprintf(b, `<line class="range" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n",
			float64(x+labelWidth)+at(lowest), float64(x+labelWidth)+at(highest), float64(top)+barHeight/2.0, float64(top)+barHeight/2.0)
		writeText(b, x+labelWidth+int(at(highest))+6, top+12, "", thousands(rate))
	}
}

func writeText(b *strings.Builder, x, y int, attributes, text string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" %s>`, x, y, attributes)
	_ = xml.EscapeText(b, []byte(text)) // a strings.Builder does not fail
	b.WriteString("</text>\n")
}
