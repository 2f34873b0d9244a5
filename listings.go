package understudy

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/understudyhq/understudy/actors"
	httpapi "github.com/understudyhq/understudy/http"
	"github.com/understudyhq/understudy/providers"
)

// How often an upstream without configured models is asked what it has.
const (
	listEvery   = time.Hour
	listAgain   = 30 * time.Second // after a failure
	listTimeout = 30 * time.Second
)

// listings keeps the engine told of the models of upstreams that have none configured. One
// goroutine per such upstream asks it, outside of any actor.
type listings struct {
	engine *actors.System
	logger *slog.Logger

	mu      sync.Mutex
	running map[string]listing
	wait    sync.WaitGroup
}

type listing struct {
	credentials []*providers.Credential
	cancel      context.CancelFunc
}

func newListings(engine *actors.System, logger *slog.Logger) *listings {
	return &listings{engine: engine, logger: logger, running: map[string]listing{}}
}

// watch makes wanted, by upstream name, the upstreams that are asked from now on.
func (l *listings) watch(wanted map[string][]*providers.Credential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, r := range l.running {
		if credentials, ok := wanted[name]; !ok || !slices.Equal(credentials, r.credentials) {
			r.cancel()
			delete(l.running, name)
		}
	}
	for name, credentials := range wanted {
		if _, ok := l.running[name]; ok || len(credentials) == 0 {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		l.running[name] = listing{credentials, cancel}
		l.wait.Go(func() { l.keepAsking(ctx, name, credentials) })
	}
}

// stop ends all of them and waits.
func (l *listings) stop() {
	l.watch(nil)
	l.wait.Wait()
}

func (l *listings) keepAsking(ctx context.Context, name string, credentials []*providers.Credential) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if l.ask(ctx, name, credentials) {
			timer.Reset(listEvery)
		} else {
			timer.Reset(listAgain)
		}
	}
}

// ask tries the credentials in order until one is answered.
func (l *listings) ask(ctx context.Context, name string, credentials []*providers.Credential) bool {
	var last error
	for _, c := range credentials {
		if c.Disabled {
			continue
		}
		attempt, cancel := context.WithTimeout(ctx, listTimeout)
		models, err := list(attempt, c)
		cancel()
		if err == nil {
			l.engine.ModelsListed(name, models)
			return true
		}
		last = err
	}
	if last != nil && ctx.Err() == nil {
		l.logger.Warn("upstream lists no models; any name is passed to it", slog.String("provider", name), slog.Any("err", last))
	}
	return false
}

// list asks for the models with c, whose secret may come from a grant.
func list(ctx context.Context, c *providers.Credential) ([]string, error) {
	if c.Grant != nil {
		token := c.Grant.Current()
		if !token.Usable(time.Now()) {
			var err error
			if token, err = c.Grant.Renew(ctx, token.Secret); err != nil {
				return nil, fmt.Errorf("credential %s: %w", c.ID, err)
			}
		}
		c = c.WithToken(token)
	}
	return httpapi.ListUpstreamModels(ctx, c)
}
