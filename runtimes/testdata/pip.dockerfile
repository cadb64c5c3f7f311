FROM 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
LABEL dev.caisson.build="0a" dev.caisson.runtime="ml"
USER 0:0
RUN ["/bin/sh", "-c", "echo \"$HOME\" > /etc/motd"]
RUN ["/bin/sh", "-c", "cat <\u003cX"]
RUN ["env", \
     "PIP_NO_CACHE_DIR=1", \
     "PIP_BREAK_SYSTEM_PACKAGES=1", \
     "PIP_ROOT_USER_ACTION=ignore", \
     "PIP_DISABLE_PIP_VERSION_CHECK=1", \
     "PIP_NO_INPUT=1", \
     "/bin/sh", \
     "-ec", \
     "pip install -- \"$@\"", \
     "install", \
     "a>=1,<2", \
     "b[x]~=1.0"]
WORKDIR /workspace
USER 1000:1000
