FROM 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
LABEL dev.caisson.build="0a"
USER 0:0
RUN ["env", \
     "NPM_CONFIG_UPDATE_NOTIFIER=false", \
     "NPM_CONFIG_AUDIT=false", \
     "NPM_CONFIG_FUND=false", \
     "/bin/sh", \
     "-ec", \
     "npm install --global --prefix /usr/local -- \"$@\"; npm cache clean --force; [ -e /node_modules ] || ln -s /usr/local/lib/node_modules /node_modules", \
     "install", \
     "@types/react@^18", \
     "vite"]
WORKDIR /app
USER 1000:1000
