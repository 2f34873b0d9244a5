package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// clientKey is what the driver authenticates with.
const clientKey = "sk-bench-client"

// conversations is how many different ones a load has. Each is a session of its own, which
// the gateway recognizes by its opening messages: the dearest way.
const conversations = 64

// load is one kind of request and the answer that it must get.
type load struct {
	name     string
	title    string
	share    int      // a round has this part of -requests: one in so many
	requests [][]byte // whole HTTP/1.1 requests, one per conversation
	answer   []byte   // the body that must come back, to the byte
}

// allLoads returns every load of the proxy bench.
func allLoads(chunks int) []load {
	return []load{
		{name: "chat", title: "300 B chat", share: 1, requests: requestsOf(modelChat, 300), answer: chatAnswer()},
		{name: "stream", title: fmt.Sprintf("%d-chunk stream", chunks), share: 5, requests: requestsOf(modelStream, 300), answer: slices.Concat(streamEvents(chunks)...)},
		{name: "large", title: "256 KB chat", share: 4, requests: requestsOf(modelChat, 256<<10), answer: chatAnswer()},
	}
}

// selectLoads returns the loads with these names, all if there are none.
func selectLoads(loads []load, names []string) ([]load, error) {
	if len(names) == 0 {
		return loads, nil
	}
	var selected []load
	for _, name := range names {
		i := slices.IndexFunc(loads, func(l load) bool { return l.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown load %q", name)
		}
		selected = append(selected, loads[i])
	}
	return selected, nil
}

func requestsOf(model string, bodyBytes int) [][]byte {
	requests := make([][]byte, conversations)
	for i := range requests {
		requests[i] = rawRequest(chatBody(model, i, bodyBytes))
	}
	return requests
}

// rawRequest makes an HTTP/1.1 request of a chat body, with the headers that SDKs send.
func rawRequest(body []byte) []byte {
	head := "POST /v1/chat/completions HTTP/1.1\r\n" +
		"Host: gateway.test\r\n" +
		"Authorization: Bearer " + clientKey + "\r\n" +
		"Accept: application/json\r\n" +
		"Content-Type: application/json\r\n" +
		"User-Agent: OpenAI/Python 2.8.0\r\n" +
		"X-Stainless-Lang: python\r\n" +
		"X-Stainless-Package-Version: 2.8.0\r\n" +
		"X-Stainless-Runtime: CPython\r\n" +
		"X-Stainless-Retry-Count: 0\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
	return append([]byte(head), body...)
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// chatBody returns a chat request of about size bytes, in the order of OpenAI's Python SDK:
// the model comes after the messages. Bodies of different conversations open differently.
func chatBody(model string, conversation, size int) []byte {
	const (
		overhead = 100 // of what is not text
		turn     = 4096
	)
	random := rand.New(rand.NewPCG(uint64(conversation), uint64(size)))
	text := max(size-overhead, 0) * 20 / 21 // escapes take the rest
	opening := min(text/4, 2*turn)
	messages := []message{{"system", prose(random, opening)}}
	roles := [...]string{"user", "assistant"}
	for left := text - opening; left > 0; left -= turn {
		messages = append(messages, message{roles[(len(messages)-1)%2], prose(random, min(left, turn))})
	}
	body, err := json.Marshal(struct {
		Messages []message `json:"messages"`
		Model    string    `json:"model"`
		Stream   bool      `json:"stream,omitempty"`
	}{messages, model, model == modelStream})
	if err != nil {
		panic(err) // strings always encode
	}
	return body
}

// prose returns n bytes that look like what agents send: words and code. One byte in
// twenty-five has to be escaped in JSON: more than in plain text, less than in a program.
func prose(random *rand.Rand, n int) string {
	words := []string{
		"the", "gateway", "relays", "every", "request", "of", "a", "conversation", "with", "one", "credential",
		"to", "its", "upstream", "and", "back,", "naïve", "as", "that", "may", "be.\n", "if err != nil {\n\treturn err\n}\n", "\"quoted\"",
	}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[random.IntN(len(words))])
		b.WriteByte(' ')
	}
	return strings.ToValidUTF8(b.String()[:n], "")
}

// bodyOf returns a short chat request for a model.
func bodyOf(model string, conversation int) io.Reader {
	return bytes.NewReader(chatBody(model, conversation, 300))
}
