package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

// resetOptions are the flags of "auth reset-password".
type resetOptions struct {
	urls     []string
	dataDir  string
	password newPasswordFlag
}

func newAuthResetPasswordCommand() *cobra.Command {
	var o resetOptions
	c := &cobra.Command{
		Use:   "reset-password USER",
		Short: "Set a password that was lost, on a node's own machine",
		Long: `Set a new password without the old one, for the admin who lost it.

It works on the machine of a node that runs, for somebody who may read the node's data directory: the proof is a secret in
there, which the node replaces after each use. The cluster needs a leader. All log-ins of the user end; API keys stay. An
admin who can log in sets other people's passwords through the API: POST /v1/auth/reset-password.`,
		Example: `  sudo fastqueue auth reset-password admin --data-dir /var/lib/fastqueue
  fastqueue auth reset-password admin --data-dir ./fastqueue-data --new-password-file new-password`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := resetPassword(c, &o, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s has a new password. Earlier log-ins have ended.\n", args[0])
			return nil
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.urls, "url", []string{defaultURL}, "address of the node on this machine whose data directory it is")
	f.StringVar(&o.dataDir, "data-dir", defaultDataDir, "data directory of that node")
	o.password.addFlag(c)
	return c
}

func resetPassword(c *cobra.Command, o *resetOptions, user string) error {
	if len(o.urls) != 1 {
		return usage(fmt.Errorf("%d addresses are set and one is needed, that of the node on this machine: give it, for example --url %s", len(o.urls), defaultURL))
	}
	// Looked at first, so that nobody thinks of a password in vain. It is read again afterwards: it changes with each use.
	if _, err := readLocalSecret(o.dataDir); err != nil {
		return err
	}
	password, err := o.password.take(c, user)
	if err != nil {
		return err
	}
	secret, err := readLocalSecret(o.dataDir)
	if err != nil {
		return err
	}
	api, err := client.New(client.Config{URLs: o.urls})
	if err != nil {
		return usage(err)
	}
	defer api.Close()
	if err := resetLocally(c.Context(), api, secret, user, password); err != nil {
		return fmt.Errorf("reset password of %s: %w", user, err)
	}
	return nil
}

func resetLocally(ctx context.Context, api *client.Client, secret, user, password string) error {
	err := api.ResetPasswordLocally(ctx, secret, user, password)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusUnauthorized {
		return fmt.Errorf("%w; the secret proves something only to the node that wrote it: check that --data-dir and --url belong to one node, and that no proxy is between", err)
	}
	return err
}

// readLocalSecret reads what the node on this machine left for whoever may read its directory.
func readLocalSecret(dataDir string) (string, error) {
	path := filepath.Join(dataDir, localSecretFile)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return "", usage(fmt.Errorf("--data-dir %s is not a directory: it must name the data directory of a node that runs on this machine", dataDir))
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s does not exist: --data-dir must name the data directory of a node that runs on this machine", path)
	case errors.Is(err, fs.ErrPermission):
		return "", exitError{fmt.Errorf("%w: run this as the user that the node runs as, or as root with sudo", err), exitDenied}
	case err != nil:
		return "", fmt.Errorf("local secret: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
