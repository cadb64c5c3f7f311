FROM 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
LABEL dev.caisson.build="0a"
USER 0:0
RUN ["/bin/sh", \
     "-ec", \
     "from=${CARGO_HOME:-$HOME/.cargo}; CARGO_HOME=$(mktemp -d); export CARGO_HOME; for config in \"$from/config\" \"$from/config.toml\" /.cargo/config.toml; do [ ! -f \"$config\" ] || cp -- \"$config\" \"$CARGO_HOME/config.toml\"; done; cargo install --root /usr/local -- \"$@\"; rm -rf -- \"$CARGO_HOME\"", \
     "install", \
     "ripgrep@14.1.0"]
WORKDIR /workspace
USER 1000:1000
