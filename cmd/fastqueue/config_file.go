package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxConfigBytes is far above any configuration: a larger file is something else.
const maxConfigBytes = 1 << 20

// fileSetting is one line of the configuration file.
type fileSetting struct {
	values []string
	list   bool // the file has a list, maybe of one
	line   int
}

// readConfigFile reads the named file, else that of FASTQUEUE_CONFIG, else the user's own if it exists. Flat YAML: the keys
// are names of flags of any verb, and an unknown one is refused.
func readConfigFile(named string, known []string) (path string, settings map[string]fileSetting, err error) {
	path, chosen := configPath(named)
	if path == "" {
		return "", nil, nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !chosen:
		return "", nil, nil
	case err != nil:
		return "", nil, fmt.Errorf("configuration file: %w; --config names another one", err)
	case info.Size() > maxConfigBytes:
		return "", nil, fmt.Errorf("configuration file %s has %d bytes: at most %d are possible", path, info.Size(), maxConfigBytes)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", nil, fmt.Errorf("configuration file: %w; --config names another one", err)
	}
	settings, err = parseConfig(path, b, known)
	return path, settings, err
}

// configPath is where the configuration file is, and whether somebody chose that place.
func configPath(named string) (path string, chosen bool) {
	if named != "" {
		return named, true
	}
	if path := os.Getenv(configVariable); path != "" {
		return path, true
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", false // a process without a home has no file of its own
	}
	return filepath.Join(dir, "fastqueue", "config.yaml"), false
}

// parseConfig reads the settings of a file. Numbers and times are kept as they are written: the flags read them.
func parseConfig(path string, b []byte, known []string) (map[string]fileSetting, error) {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, fmt.Errorf("%s is not YAML: %s", path, yaml.FormatError(err, false, false))
	}
	slices.Sort(known)
	settings := map[string]fileSetting{}
	documents := 0
	for _, document := range file.Docs {
		if document.Body == nil || document.Body.Type() == ast.CommentType || document.Body.Type() == ast.NullType {
			continue
		}
		if documents++; documents > 1 {
			return nil, fmt.Errorf("%s has several documents: one is allowed", path)
		}
		body, ok := document.Body.(*ast.MappingNode)
		if !ok {
			return nil, fmt.Errorf("%s:%d: lines of the form \"name: value\" are needed", path, lineOf(document.Body))
		}
		for _, entry := range body.Values {
			if err := addSetting(settings, path, entry, known); err != nil {
				return nil, err
			}
		}
	}
	return settings, nil
}

func addSetting(settings map[string]fileSetting, path string, entry *ast.MappingValueNode, known []string) error {
	key, line := entry.Key.GetToken().Value, lineOf(entry.Key)
	if !slices.Contains(known, key) {
		return fmt.Errorf("%s:%d: %q is not a setting%s", path, line, key, didYouMean(key, known))
	}
	s := fileSetting{line: line}
	nodes := []ast.Node{entry.Value}
	if sequence, ok := entry.Value.(*ast.SequenceNode); ok {
		s.list, nodes = true, sequence.Values
	}
	for _, node := range nodes {
		value, ok := scalar(node)
		if !ok {
			return fmt.Errorf("%s:%d: %s needs a value, or a list of values where the flag can be repeated; leave the line out for the default",
				path, line, key)
		}
		s.values = append(s.values, value)
	}
	settings[key] = s
	return nil
}

// scalar is the text of a plain or quoted value.
func scalar(node ast.Node) (string, bool) {
	switch v := node.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

func lineOf(node ast.Node) int { return node.GetToken().Position.Line }
