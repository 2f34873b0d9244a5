package admin

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi3"
)

// describe returns the OpenAPI document of routes.
func describe(routes []route, version string) ([]byte, error) {
	r := openapi3.NewReflector()
	r.Spec.Info.WithTitle("Understudy management API").WithVersion(version).
		WithDescription("Keys that are settings are spelled as in config.yaml; all others are in snake case. Lists page with limit and after.")
	r.Spec.WithServers(openapi3.Server{URL: "/v0/management"})
	r.Spec.SetHTTPBearerTokenSecurity("bearer", "", "The management key.")
	r.Spec.SetAPIKeySecurity("header", "X-Management-Key", openapi.InHeader, "The management key.")
	r.Spec.WithSecurity(map[string][]string{"bearer": {}}, map[string][]string{"header": {}})
	for _, rt := range routes {
		if err := describeRoute(r, rt); err != nil {
			return nil, err
		}
	}
	return json.Marshal(r.Spec)
}

func describeRoute(r *openapi3.Reflector, rt route) error {
	o, err := r.NewOperationContext(rt.method, rt.path)
	if err != nil {
		return err
	}
	o.SetSummary(rt.summary)
	for _, part := range []any{rt.params, rt.query} {
		if part != nil {
			o.AddReqStructure(part)
		}
	}
	if rt.body != nil {
		o.AddReqStructure(rt.body, func(cu *openapi.ContentUnit) { cu.ContentType = rt.bodyType })
	}
	o.AddRespStructure(rt.answer, func(cu *openapi.ContentUnit) {
		cu.HTTPStatus, cu.ContentType = rt.statusOf(), rt.contentType
	})
	statuses := append([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable}, rt.errors...)
	slices.Sort(statuses)
	for _, status := range slices.Compact(statuses) {
		o.AddRespStructure(errorAnswer{}, func(cu *openapi.ContentUnit) { cu.HTTPStatus = status })
	}
	return r.AddOperation(o)
}
