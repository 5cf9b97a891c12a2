package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const newPasswordVariable = variablePrefix + "NEW_PASSWORD"

// askPassword asks for a password on the terminal, without showing it. A pipe is refused: a password in a command line or a
// script's text does not stay secret, and files and variables are there for programs.
func askPassword(c *cobra.Command, question, instead string) (string, error) {
	stdin, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(stdin.Fd())) {
		return "", usage(fmt.Errorf("passwords are only asked for on a terminal, and standard input is none: give %s", instead))
	}
	c.PrintErr(question + ": ")
	password, err := term.ReadPassword(int(stdin.Fd()))
	c.PrintErrln()
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	if len(password) == 0 {
		return "", usage(errors.New("no password was typed, nothing was done"))
	}
	return string(password), nil
}

// newPasswordFlag is where a verb that sets a password takes it from.
type newPasswordFlag struct {
	file string
}

func (n *newPasswordFlag) addFlag(c *cobra.Command) {
	c.Flags().StringVar(&n.file, "new-password-file", "", "file with the new password (or $"+newPasswordVariable+"); otherwise it is asked for")
}

// given returns the new password of the file or the variable; empty if there is neither.
func (n *newPasswordFlag) given() (string, error) {
	if n.file != "" {
		return secretOf("--new-password-file", n.file)
	}
	return os.Getenv(newPasswordVariable), nil
}

// take returns the new password: given, or asked for twice.
func (n *newPasswordFlag) take(c *cobra.Command, username string) (string, error) {
	password, err := n.given()
	if password != "" || err != nil {
		return password, err
	}
	return askNewPassword(c, username, "--new-password-file or $"+newPasswordVariable)
}

// askNewPassword asks for a password twice, since nobody sees what is typed.
func askNewPassword(c *cobra.Command, username, instead string) (string, error) {
	password, err := askPassword(c, "New password of "+username, instead)
	if err != nil {
		return "", err
	}
	again, err := askPassword(c, "The same again", instead)
	if err == nil && again != password {
		err = usage(errors.New("the two passwords differ, nothing was done"))
	}
	return password, err
}
