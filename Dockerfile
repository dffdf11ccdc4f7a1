# Both images are arguments: where the defaults can't be pulled, name a mirror.
ARG GO_IMAGE=golang:1.26.8@sha256:0f063af2d465d8dcae54cce04278ada488b96f77b42449c8d071e47d016cc65a
ARG BASE_IMAGE=gcr.io/distroless/static:nonroot@sha256:e2e927ec666bae08560abb3c55d0659eceabb657f56b6782ab500a9fc7f555e3

# The compiler runs natively and cross-compiles: no emulation for other architectures.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
# Modules first: this layer lasts until they change.
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY api api
COPY controllers controllers
COPY config/crd config/crd
# What --version prints; the build context has no .git.
ARG VERSION
ARG COMMIT
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-} GOARCH=${TARGETARCH:-} \
    go build -trimpath -ldflags "-s -w -X github.com/image-catalog/image-catalog-operator/controllers/command.version=${VERSION:-} -X github.com/image-catalog/image-catalog-operator/controllers/command.commit=${COMMIT:-}" -o /manager .

FROM ${BASE_IMAGE}
COPY --from=build /manager /manager
# The number, not the name: runAsNonRoot can only be verified by number.
USER 65532:65532
ENTRYPOINT ["/manager"]
