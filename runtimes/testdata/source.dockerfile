FROM 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef AS build
LABEL dev.caisson.build="0a"
USER 0:0
COPY source/ /
RUN ["/bin/sh", \
     "-ec", \
     "for own in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do if [ -r \"$own\" ]; then cat -- \"$own\"; echo; break; fi; done >/.caisson-build/trusted.pem; cat /.caisson-build/ca.pem >>/.caisson-build/trusted.pem"]
RUN ["/bin/sh", \
     "-ec", \
     ". /etc/os-release; read -r index </.caisson-build/apt-index; echo \"deb $index $VERSION_CODENAME main\" >/.caisson-build/sources.list"]
ENV SSL_CERT_FILE="/.caisson-build/trusted.pem" \
    PIP_CERT="/.caisson-build/trusted.pem" \
    REQUESTS_CA_BUNDLE="/.caisson-build/trusted.pem" \
    CURL_CA_BUNDLE="/.caisson-build/trusted.pem" \
    GIT_SSL_CAINFO="/.caisson-build/trusted.pem" \
    CARGO_HTTP_CAINFO="/.caisson-build/trusted.pem" \
    NODE_EXTRA_CA_CERTS="/.caisson-build/trusted.pem" \
    APT_CONFIG="/.caisson-build/apt.conf"
RUN ["/bin/sh", "-c", "true"]
RUN ["env", \
     "DEBIAN_FRONTEND=noninteractive", \
     "/bin/sh", \
     "-ec", \
     "apt-get update; apt-get install --yes --no-install-recommends -- \"$@\"; apt-get clean; rm -rf /var/lib/apt/lists/*", \
     "install", \
     "git"]
RUN ["rm", "-rf", "--", "/.caisson-build"]
FROM scratch
COPY --from=build / /
ENV PATH="/usr/bin:/bin"
WORKDIR /workspace
USER 1000:1000
