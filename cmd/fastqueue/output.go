package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// The values of --output.
const (
	formatTable = "table"
	formatJSON  = "json"
)

// output is how a verb shows what it got.
type output struct {
	format string
}

func (o *output) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.format, "output", "o", formatTable, "table (for people) or json (as the API answers)")
}

// check refuses an unknown format, before anything is done.
func (o *output) check() error {
	if o.format != formatTable && o.format != formatJSON {
		return usage(fmt.Errorf("--output %q: want table or json", o.format))
	}
	return nil
}

func (o *output) json() bool { return o.format == formatJSON }

// print shows a value: as JSON, or as what table writes, with tabs between the columns.
func (o *output) print(w io.Writer, value any, table func(*tabwriter.Writer)) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.json() {
		return printJSON(w, value)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	table(t)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// printJSON writes an indented value. Characters such as < stay as they are: nothing here ends up in a web page.
func printJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
