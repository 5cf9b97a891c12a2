package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	variablePrefix = "FASTQUEUE_"
	configVariable = variablePrefix + "CONFIG"
)

// variableName is the environment variable of a flag.
func variableName(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// secretVariables are the variables that are no flags: what they hold must not show in a list of processes.
func secretVariables() []string {
	return []string{joinTokenVariable, adminVariable, passwordVariable, newPasswordVariable, apiKeyVariable, tokenVariable}
}

// unknownVariables warns of variables that look like a slip of the pen. They are not refused: Kubernetes sets variables
// such as FASTQUEUE_SERVICE_HOST in every container beside a service of the name fastqueue.
func unknownVariables(environment []string, settings map[string]bool) []string {
	known := append(secretVariables(), configVariable)
	for name := range maps.Keys(settings) {
		known = append(known, variableName(name))
	}
	slices.Sort(known)
	var warnings []string
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) || slices.Contains(known, name) {
			continue
		}
		if best, slips := nearest(name, known); slips <= maxSlips {
			warnings = append(warnings, fmt.Sprintf("the variable %s is not known and has no effect (did you mean %s?)", name, best))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// isServicePort recognises what Kubernetes says of a service named fastqueue in FASTQUEUE_PORT, which is no port number.
func isServicePort(variable, value string) bool {
	return variable == variablePrefix+"PORT" && strings.Contains(value, "://")
}
