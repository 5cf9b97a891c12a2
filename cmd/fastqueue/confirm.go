package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// confirm asks the person to type a name before something is done that can't be undone. what completes the sentence "This
// will ...". Every answer but the name is a refusal.
func confirm(c *cobra.Command, what, name string) error {
	fmt.Fprintf(c.ErrOrStderr(), "This will %s. Type %s to go on: ", what, name)
	answer, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("confirmation: %w", err)
	}
	if strings.TrimSpace(answer) != name {
		return usage(fmt.Errorf("not confirmed, nothing was done: type %s when asked, or give --yes", name))
	}
	return nil
}
