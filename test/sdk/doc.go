// Package sdk drives a gateway with the official SDKs, as its users do: github.com/openai/openai-go,
// github.com/anthropics/anthropic-sdk-go and google.golang.org/genai. It holds tests only, and is a
// module of its own, so that what the SDKs need stays out of the gateway's.
package sdk
