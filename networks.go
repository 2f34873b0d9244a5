package understudy

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/understudyhq/understudy/config"
	"github.com/understudyhq/understudy/http/network"
)

// networks is how one configuration reaches its upstreams. Credentials whose connections
// are made in the same way share a transport.
type networks struct {
	connect    time.Duration
	transports map[network.Options]*network.Transport
	roots      []*network.Roots
}

func newNetworks(connect time.Duration) networks {
	return networks{connect: connect, transports: map[network.Options]*network.Transport{}}
}

// retire lets the transports go that next does not use.
func (n networks) retire(next networks) {
	for o, t := range n.transports {
		if next.transports[o] != t {
			t.Retire()
		}
	}
}

// transports returns what each credential of source reaches its upstream through. path is
// where source is in the configuration.
func (b *builder) transports(next *networks, path string, source config.Provider) ([]http.RoundTripper, error) {
	switch {
	case source.Kind == config.KindSimulator:
		if old := b.lastOf(source.Name); same(old.source, source) {
			return old.transports, nil
		}
		return slices.Repeat([]http.RoundTripper{simulated(source).Transport()}, len(source.Credentials)), nil
	case b.options.transport != nil:
		return slices.Repeat([]http.RoundTripper{b.options.transport}, len(source.Credentials)), nil
	}
	roots, err := b.roots(next, source.CAFile)
	if err != nil {
		return nil, misconfigured(path+".ca-file", err)
	}
	transports := make([]http.RoundTripper, len(source.Credentials))
	for i, c := range source.Credentials {
		o, path := network.Options{Connect: next.connect, Proxy: c.ProxyURL, Roots: roots}, fmt.Sprintf("%s.credentials[%d]", path, i)
		if o.Proxy == "" {
			o.Proxy = source.ProxyURL
		}
		if transports[i], err = b.transport(next, o); err != nil {
			return nil, misconfigured(path+".proxy-url", err)
		}
	}
	return transports, nil
}

// transport returns the one for o, if possible one that is in use already.
func (b *builder) transport(next *networks, o network.Options) (*network.Transport, error) {
	if t := next.transports[o]; t != nil {
		return t, nil
	}
	t := b.last.network.transports[o]
	if t == nil {
		var err error
		if t, err = network.New(o); err != nil {
			return nil, err
		}
	}
	next.transports[o] = t
	return t, nil
}

// roots returns what is in a file of certificates now: the same as before, if it is.
func (b *builder) roots(next *networks, file string) (*network.Roots, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // no file is no error
	}
	roots, err := network.ReadRoots(file)
	if err != nil {
		return nil, err
	}
	for _, known := range slices.Concat(next.roots, b.last.network.roots) {
		if known.Equal(roots) {
			roots = known
			break
		}
	}
	next.roots = append(next.roots, roots)
	return roots, nil
}

func misconfigured(path string, err error) error {
	return fmt.Errorf("invalid configuration: %w", config.Errors{{Path: path, Problem: err.Error()}})
}
