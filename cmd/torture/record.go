package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"

	"github.com/fastqueue/fastqueue/cmd/torture/trial"
)

// appendRecord adds a round to a file of JSON lines. Without a path there is nothing to do.
func appendRecord(path string, r *trial.Result) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
