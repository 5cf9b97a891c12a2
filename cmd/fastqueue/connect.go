package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/client"
)

const (
	defaultURL       = "http://127.0.0.1:9080"
	passwordVariable = variablePrefix + "PASSWORD"
	apiKeyVariable   = variablePrefix + "API_KEY"
	tokenVariable    = variablePrefix + "TOKEN"
)

// clientPatience is how long a verb goes on trying while nothing was applied: about as long as an election takes.
const clientPatience = 3 * time.Second

// connection says which nodes a verb asks, and who asks.
type connection struct {
	urls         []string
	username     string
	passwordFile string
	apiKeyFile   string
}

func (c *connection) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&c.urls, "url", []string{defaultURL}, "address of a node; several are tried in turn")
	f.StringVar(&c.username, "username", "", "who asks, with --password-file or $"+passwordVariable)
	f.StringVar(&c.passwordFile, "password-file", "", "file with the password of --username")
	f.StringVar(&c.apiKeyFile, "api-key-file", "", "file with an API key, instead of a user and a password (or $"+apiKeyVariable+")")
}

// open returns a client with the first credential that is there: an API key, user and password, a token, a login.
func (c *connection) open() (*client.Client, error) {
	config, err := c.credentials()
	if err != nil {
		return nil, err
	}
	if !hasCredential(&config) {
		return nil, exitError{c.noCredential(), exitDenied}
	}
	return c.connect(config)
}

// openAnonymous returns a client that has the credential which is there, if any: for what needs none.
func (c *connection) openAnonymous() (*client.Client, error) {
	config, err := c.credentials()
	if err != nil {
		return nil, err
	}
	return c.connect(config)
}

// connect completes a configuration that says who asks.
func (c *connection) connect(config client.Config) (*client.Client, error) {
	config.URLs, config.Patience = c.urls, clientPatience
	cl, err := client.New(config)
	if err != nil {
		return nil, usage(fmt.Errorf("--url: %w", err))
	}
	return cl, nil
}

func hasCredential(c *client.Config) bool {
	return c.APIKey != "" || c.Username != "" || c.Token != "" || c.Tokens != nil
}

// credentials finds who asks. None at all is no error.
func (c *connection) credentials() (client.Config, error) {
	var none client.Config
	key, err := c.apiKey()
	if key != "" || err != nil {
		return client.Config{APIKey: key}, err
	}
	password, given, err := c.password()
	switch {
	case err != nil:
		return none, err
	case c.username != "" && given:
		return client.Config{Username: c.username, Password: password}, nil
	case c.passwordFile != "" && c.username == "":
		return none, usage(errors.New("--password-file says nothing without --username: give both"))
	}
	if token := os.Getenv(tokenVariable); token != "" && c.username == "" {
		return client.Config{Token: token}, nil
	}
	store, err := openLoginStore(c.urls)
	if err != nil {
		return none, nil // without a home there are no logins, and that is all
	}
	kept, err := store.read()
	if err != nil || kept.Refresh == "" || c.username != "" && kept.Username != c.username {
		return none, err
	}
	return client.Config{Tokens: store}, nil
}

// apiKey returns the API key that was given, if any. What can't be one is not shown to a node.
func (c *connection) apiKey() (string, error) {
	key, from := os.Getenv(apiKeyVariable), "$"+apiKeyVariable
	if c.apiKeyFile != "" {
		from = "--api-key-file " + c.apiKeyFile
		var err error
		if key, err = secretOf("--api-key-file", c.apiKeyFile); err != nil {
			return "", err
		}
	}
	if key != "" && !strings.HasPrefix(key, auth.APIKeyPrefix) {
		return "", usage(fmt.Errorf("%s is not an API key (they begin with %s): make one with \"fastqueue auth api-key create\", or give a password with --password-file", from, auth.APIKeyPrefix))
	}
	return key, nil
}

// password returns the password of --username, and whether there is one.
func (c *connection) password() (password string, given bool, err error) {
	if c.passwordFile != "" {
		password, err = secretOf("--password-file", c.passwordFile)
		return password, err == nil, err
	}
	password = os.Getenv(passwordVariable)
	return password, password != "", nil
}

// secretOf reads a file that holds one line.
func secretOf(flag, path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", usage(fmt.Errorf("%s: %w", flag, err))
	}
	secret := strings.TrimRight(string(b), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", usage(fmt.Errorf("%s %s: want one line with the secret and nothing else", flag, path))
	}
	return secret, nil
}

func (c *connection) noCredential() error {
	if c.username != "" {
		return fmt.Errorf("no password for %s: log in with `fastqueue auth login %s`, or give --password-file or $%s",
			c.username, c.username, passwordVariable)
	}
	login := "fastqueue auth login"
	if !slices.Equal(c.urls, []string{defaultURL}) {
		for _, u := range c.urls {
			login += " --url " + u
		}
	}
	return fmt.Errorf("not logged in at %s: run `%s`, or give --api-key-file, $%s, or --username with --password-file",
		strings.Join(c.urls, ", "), login, apiKeyVariable)
}

// userAndPassword returns whose password a verb of auth needs, and the password: given, or asked for. The user is the argument,
// or --username.
func (c *connection) userAndPassword(cmd *cobra.Command, args []string) (username, password string, err error) {
	username = c.username
	if len(args) > 0 {
		if username != "" && cmd.Flags().Changed("username") && origin(cmd.Flags().Lookup("username")) == "command line" && username != args[0] {
			return "", "", usage(fmt.Errorf("--username %s and the argument %s are two users: give one", username, args[0]))
		}
		username = args[0]
	}
	if username == "" {
		return "", "", usage(fmt.Errorf("whose? Give the user's name: %s NAME", cmd.CommandPath()))
	}
	password, given, err := c.password()
	if given || err != nil {
		return username, password, err
	}
	password, err = askPassword(cmd, "Password of "+username, "--password-file or $"+passwordVariable)
	return username, password, err
}

// openAs returns a client for requests that prove the user by the password in them.
func (c *connection) openAs(username, password string) (*client.Client, error) {
	return c.connect(client.Config{Username: username, Password: password})
}

// openFor checks what a verb shows before it asks.
func openFor(to *connection, out *output) (*client.Client, error) {
	if err := out.check(); err != nil {
		return nil, err
	}
	return to.open()
}

// collect gathers a list that comes in pages. It is never nil, so that no JSON says null.
func collect[T any](items iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}
