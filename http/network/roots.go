package network

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxRootsBytes is how much of a file of certificates is read: all that the world's browsers
// trust is a quarter of a mebibyte.
const maxRootsBytes = 2 << 20

// Roots are certificates that are trusted beside the system's. Make them with ReadRoots.
type Roots struct {
	sum  [sha256.Size]byte // of the file
	pool *x509.CertPool
}

// ReadRoots reads the certificates in a PEM file, at least one. Its error names the file.
func ReadRoots(file string) (*Roots, error) {
	// A pipe would block: nobody else looks at the kind of file.
	if info, err := os.Stat(file); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRootsBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxRootsBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes", file, maxRootsBytes)
	}
	r, err := parseRoots(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Equal reports whether r and other were made of the same bytes.
func (r *Roots) Equal(other *Roots) bool { return r.sum == other.sum }

// parseRoots is strict: a certificate that is left out shows only when it is needed.
func parseRoots(text []byte) (*Roots, error) {
	certificates, err := parseCertificates(text)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificates: %w", err)
	}
	for _, c := range certificates {
		pool.AddCert(c)
	}
	return &Roots{sum: sha256.Sum256(text), pool: pool}, nil
}

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	begun := bytes.Count(text, []byte("-----BEGIN ")) // pem.Decode steps over what it cannot read
	var certificates []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d of the PEM is no certificate", len(certificates)+1)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certificates)+1, err)
		}
		certificates = append(certificates, c)
	}
	switch {
	case begun != len(certificates):
		return nil, fmt.Errorf("only %d of %d blocks of the PEM can be read", len(certificates), begun)
	case len(certificates) == 0:
		return nil, errors.New("no certificate in PEM format")
	}
	return certificates, nil
}
