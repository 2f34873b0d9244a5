package httpapi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/understudyhq/understudy/http/fault"
)

func watch(t *testing.T) (context.Context, *watchdog) {
	dog := &watchdog{}
	ctx, cancel := context.WithCancelCause(t.Context())
	dog.cancel = cancel
	return ctx, dog
}

func TestWatchdog_EndsWaitingForTheFirstByte(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, dog := watch(t)
		dog.start(time.Minute)
		began := time.Now()
		<-ctx.Done()
		require.Equal(t, time.Minute, time.Since(began))
		require.ErrorIs(t, context.Cause(ctx), fault.ErrFirstByteTimeout)
	})
}

func TestWatchdog_CountsOnlyTheUpstreamsSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, dog := watch(t)
		defer dog.stop()
		dog.start(time.Hour)
		dog.begun(10 * time.Second)
		for range 5 {
			dog.waiting()
			time.Sleep(9 * time.Second)
			dog.received()
			time.Sleep(time.Minute) // a slow client
		}
		require.NoError(t, ctx.Err())
		dog.waiting()
		began := time.Now()
		<-ctx.Done()
		require.Equal(t, 10*time.Second, time.Since(began))
		require.ErrorIs(t, context.Cause(ctx), fault.ErrIdleTimeout)
	})
}

func TestWatchdog_HasNoLimitAtZero(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, firstByte := range []time.Duration{0, time.Minute} {
			ctx, dog := watch(t)
			dog.start(firstByte)
			dog.begun(0)
			dog.waiting()
			time.Sleep(24 * time.Hour)
			require.NoError(t, ctx.Err())
			dog.stop()
			require.ErrorIs(t, context.Cause(ctx), context.Canceled, "stopping frees the context")
		}
	})
}
