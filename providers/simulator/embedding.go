package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"

	"github.com/tidwall/gjson"

	"github.com/understudyhq/understudy/providers/simulator/prompt"
	"github.com/understudyhq/understudy/providers/simulator/refusal"
)

// Sizes of embedding vectors.
const (
	defaultDimensions = 256
	maxDimensions     = 4096
)

// embed serves OpenAI's embeddings.
func (x *exchange) embed() *refusal.Failure {
	model, refused := x.model()
	if refused != nil {
		return refused
	}
	size, refused := dimensions(x.body.Get("dimensions"), "dimensions")
	if refused != nil {
		return refused
	}
	inputs, refused := embeddingInputs(x.body.Get("input"))
	if refused != nil {
		return refused
	}
	x.pace(prompt.Marks{})
	var (
		inBase64 = x.body.Get("encoding_format").Str == "base64"
		data     = make([]object, len(inputs))
		tokens   int64
	)
	for i, input := range inputs {
		v := vector(model, input, size)
		data[i] = object{"object": "embedding", "index": i, "embedding": v}
		if inBase64 {
			data[i]["embedding"] = littleEndian(v)
		}
		tokens += prompt.CountTokens(input)
	}
	x.send(object{
		"object": "list",
		"data":   data,
		"model":  model,
		"usage":  object{"prompt_tokens": tokens, "total_tokens": tokens},
	})
	return nil
}

// embeddingInputs returns the texts to embed. Token numbers count as the text that writes them.
func embeddingInputs(input gjson.Result) ([]string, *refusal.Failure) {
	switch {
	case input.Type == gjson.String:
		return []string{input.Str}, nil
	case input.Get("0").Type == gjson.Number:
		return []string{input.Raw}, nil
	case !input.Get("0").Exists():
		return nil, refusal.Invalid("input", "'input' must be a text or an array that is not empty.")
	}
	var all []string
	input.ForEach(func(_, one gjson.Result) bool {
		all = append(all, one.String())
		return true
	})
	return all, nil
}

func dimensions(wanted gjson.Result, param string) (int, *refusal.Failure) {
	if !wanted.Exists() || wanted.Type == gjson.Null {
		return defaultDimensions, nil
	}
	if n := wanted.Int(); n >= 1 && n <= maxDimensions {
		return int(n), nil
	}
	return 0, refusal.Invalid(param, "The number of dimensions is out of range.")
}

func (x *exchange) embedContent(model string) *refusal.Failure {
	embedding, refused := embedOne(model, x.body)
	if refused != nil {
		return refused
	}
	x.pace(prompt.Marks{})
	x.send(object{"embedding": embedding})
	return nil
}

func (x *exchange) batchEmbedContents(model string) *refusal.Failure {
	embeddings := []object{}
	for _, request := range x.body.Get("requests").Array() {
		embedding, refused := embedOne(model, request)
		if refused != nil {
			return refused
		}
		embeddings = append(embeddings, embedding)
	}
	x.pace(prompt.Marks{})
	x.send(object{"embeddings": embeddings})
	return nil
}

// embedOne answers one of Gemini's embedding requests.
func embedOne(model string, request gjson.Result) (object, *refusal.Failure) {
	parts := request.Get("content.parts")
	if !parts.IsArray() {
		return nil, refusal.Invalid("content", "* EmbedContentRequest.content: contents is not specified")
	}
	size, refused := dimensions(request.Get("outputDimensionality"), "outputDimensionality")
	if refused != nil {
		return nil, refused
	}
	return object{"values": vector(model, prompt.TextOf(parts), size)}, nil
}

// vector returns the embedding of text: of length 1, the same for the same text, unrelated
// to that of any other.
func vector(model, text string, size int) []float32 {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(model + "\x00" + text))
	state := seed.Sum64()
	values := make([]float64, size)
	var square float64
	for i := range values {
		state = state*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
		values[i] = float64(int64(state)) / math.MaxInt64
		square += values[i] * values[i]
	}
	length := math.Sqrt(square)
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(values[i] / length)
	}
	return v
}

// littleEndian encodes a vector as encoding_format base64 wants it.
func littleEndian(v []float32) string {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(b)
}
