FROM 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
LABEL dev.caisson.build="0a"
USER 0:0
RUN ["env", \
     "DEBIAN_FRONTEND=noninteractive", \
     "/bin/sh", \
     "-ec", \
     "apt-get update; apt-get install --yes --no-install-recommends -- \"$@\"; apt-get clean; rm -rf /var/lib/apt/lists/*", \
     "install", \
     "git", \
     "jq=1.6-2.1"]
WORKDIR /workspace
USER 5:6
