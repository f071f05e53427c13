# SPDX-License-Identifier: MIT
#
# The usual words for what Meson does. The command is build/onelevel.
#   make           builds            make test     runs the tests       make bench   measures
#   make install   [PREFIX=/usr/local] [DESTDIR=]  make check  format, linters, sanitizers
#   make demo      shows it at work, in two minutes                    make clean   removes build/

BUILD := build

all:
	@tools/setup.sh build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD)
	@ninja -C $(BUILD)

test: all
	@tools/setup.sh test
	@meson test -C $(BUILD) --no-rebuild --print-errorlogs

demo: all
	@tools/setup.sh test
	@examples/demo.sh $(BUILD)

bench: all
	@meson test -C $(BUILD) --no-rebuild --benchmark --verbose

install: all
	@$(if $(PREFIX),meson configure $(BUILD) --prefix=$(PREFIX) && )meson install -C $(BUILD)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

check:
	@tools/setup.sh build test check
	@tools/check.sh

clean:
	rm -rf $(BUILD)

.PHONY: all test demo bench install check clean
