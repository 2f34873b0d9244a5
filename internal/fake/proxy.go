package fake

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
)

// Proxy is a proxy for tests: over HTTP as a handler, and over SOCKS5. Fill its fields
// before use.
type Proxy struct {
	// User and Password must be given by clients; without a user anybody may pass.
	User, Password string
	// To is where an address leads; those that are not in it lead to themselves.
	To map[string]string

	mu    sync.Mutex
	asked []string
	open  sync.WaitGroup
}

// Asked returns the addresses that clients with the right password have asked for, in order.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Wait returns when no tunnel is open any more.
func (p *Proxy) Wait() { p.open.Wait() }

func (p *Proxy) dial(ctx context.Context, address string) (net.Conn, error) {
	p.mu.Lock()
	p.asked = append(p.asked, address)
	if to := p.To[address]; to != "" {
		address = to
	}
	p.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// ServeHTTP tunnels for CONNECT and passes other requests on. The refusal of a client
// repeats what it sent, in the status line too.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.open.Add(1)
	defer p.open.Done()
	given := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	user, password, _ := given.BasicAuth()
	switch {
	case user != p.User || password != p.Password:
		p.refuse(w, user+" "+password)
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	default:
		transport := &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return p.dial(ctx, address)
			},
		}
		forward := httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: transport}
		forward.ServeHTTP(w, r)
	}
}

func (p *Proxy) refuse(w http.ResponseWriter, who string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 407 Not "+who+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	upstream, err := p.dial(r.Context(), r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = upstream.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	tunnel(client, buffered.Reader, upstream)
}

// tunnel copies in both directions until one side ends, and closes both.
func tunnel(client net.Conn, from io.Reader, upstream net.Conn) {
	var both sync.WaitGroup
	pass := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from)
		_ = client.Close()
		_ = upstream.Close()
	}
	both.Go(func() { pass(upstream, from) })
	both.Go(func() { pass(client, upstream) })
	both.Wait()
}

// ServeSOCKS serves SOCKS5 on l until it is closed.
func (p *Proxy) ServeSOCKS(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		p.open.Go(func() {
			defer conn.Close()
			_ = p.socks(conn)
		})
	}
}

// What is said in SOCKS5.
const (
	socksVersion  = 5
	socksOpen     = 0
	socksPassword = 2
	socksNone     = 0xff
	socksConnect  = 1
	socksIPv4     = 1
	socksName     = 3
)

var errSOCKS = errors.New("fake: not SOCKS5 as expected")

func (p *Proxy) socks(conn net.Conn) error {
	r := bufio.NewReader(conn)
	if err := p.greet(conn, r); err != nil {
		return err
	}
	head := make([]byte, 4) // version, command, reserved, kind of address
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	if head[1] != socksConnect {
		return errSOCKS
	}
	var host string
	switch head[3] {
	case socksIPv4:
		ip := make(net.IP, net.IPv4len)
		if _, err := io.ReadFull(r, ip); err != nil {
			return err
		}
		host = ip.String()
	case socksName:
		name, err := socksText(r)
		if err != nil {
			return err
		}
		host = name
	default:
		return errSOCKS
	}
	port := make([]byte, 2)
	if _, err := io.ReadFull(r, port); err != nil {
		return err
	}
	upstream, err := p.dial(context.Background(), net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1]))))
	if err != nil {
		_, _ = conn.Write([]byte{socksVersion, 1, 0, socksIPv4, 0, 0, 0, 0, 0, 0})
		return err
	}
	if _, err := conn.Write([]byte{socksVersion, 0, 0, socksIPv4, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	tunnel(conn, r, upstream)
	return nil
}

// greet agrees on how the client shows who it is, and checks that.
func (p *Proxy) greet(conn net.Conn, r *bufio.Reader) error {
	if version, err := r.ReadByte(); err != nil || version != socksVersion {
		return errSOCKS
	}
	methods, err := socksText(r)
	if err != nil {
		return err
	}
	wanted := byte(socksOpen)
	if p.User != "" {
		wanted = socksPassword
	}
	if strings.IndexByte(methods, wanted) < 0 {
		_, _ = conn.Write([]byte{socksVersion, socksNone})
		return errSOCKS
	}
	if _, err := conn.Write([]byte{socksVersion, wanted}); err != nil || wanted == socksOpen {
		return err
	}
	if version, err := r.ReadByte(); err != nil || version != 1 {
		return errSOCKS
	}
	user, err := socksText(r)
	if err != nil {
		return err
	}
	password, err := socksText(r)
	if err != nil {
		return err
	}
	if user != p.User || password != p.Password {
		_, _ = conn.Write([]byte{1, 1})
		return errSOCKS
	}
	_, err = conn.Write([]byte{1, 0})
	return err
}

// socksText reads what comes after a byte with its length.
func socksText(r *bufio.Reader) (string, error) {
	n, err := r.ReadByte()
	if err != nil {
		return "", err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return string(text), err
}
