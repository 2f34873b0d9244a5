package config

import (
	"errors"
	"fmt"
	"strings"
)

// expand replaces ${NAME} and ${NAME:-default} in s. As in a shell the default also
// stands in for a variable that is set but empty. $${ stands for a literal ${; any other
// $ is literal. Its errors quote names of variables, never values.
func expand(s string, getenv func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		if i > 0 && s[i-1] == '$' {
			out.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		out.WriteString(s[:i])
		reference, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			return "", errors.New("${ has no closing }; write $${ for a literal ${")
		}
		value, err := lookUp(reference, getenv)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		s = rest
	}
}

// lookUp returns what NAME or NAME:-default stands for.
func lookUp(reference string, getenv func(string) (string, bool)) (string, error) {
	name, fallback, hasFallback := strings.Cut(reference, ":-")
	if !isVariableName(name) {
		return "", errors.New("${ } must hold the name of an environment variable; write $${ for a literal ${")
	}
	if strings.Contains(fallback, "${") {
		return "", fmt.Errorf("the default of ${%s} must not hold another ${", name)
	}
	value, ok := getenv(name)
	if hasFallback && (!ok || value == "") {
		return fallback, nil
	}
	if !ok {
		return "", fmt.Errorf("environment variable %s is not set and ${%s} has no default", name, name)
	}
	return value, nil
}

func isVariableName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if digit := '0' <= r && r <= '9'; !letter && (i == 0 || !digit) {
			return false
		}
	}
	return s != ""
}
