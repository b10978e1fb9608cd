import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { ConfigurationError, createHandler } from "../lib/index.ts";
import { NEVER_SETTABLE } from "../lib/never-settable.ts";
import { isAllowed, isNeverSettable } from "../lib/request-variables.ts";

/** A pin: whatever the operator allows, a request sets none of these. */
const NEVER = `
  PATH PATHEXT HOME HOMEDRIVE HOMEPATH USERPROFILE ALLUSERSPROFILE APPDATA LOCALAPPDATA PROGRAMDATA
  PROGRAMFILES* COMMONPROGRAMFILES* XDG_* PWD OLDPWD TMPDIR TMP TEMP SYSTEMROOT SYSTEMDRIVE WINDIR
  COMSPEC
  SHELL IFS ENV BASH_* BASHOPTS SHELLOPTS PS4 PROMPT_COMMAND ZDOTDIR FPATH CDPATH PSMODULEPATH
  LD_* DYLD_* LIBPATH SHLIB_PATH GCONV_PATH GLIBC_TUNABLES GETCONF_DIR MALLOC* NSS_* LOCPATH NLSPATH
  TZDIR TERMINFO TERMINFO_DIRS TERMCAP HOSTALIASES RES_OPTIONS LOCALDOMAIN RESOLV_*
  *_OPTS *_OPTIONS NODE_* NPM_CONFIG_* NPM_EXECPATH NPM_NODE_EXECPATH YARN_* PNPM_* COREPACK_* NVM_*
  VOLTA_* ASDF_* MISE_* NIX_* TS_NODE_* TSX_* ESBUILD_* SWC_* NAPI_RS_* PRISMA_QUERY_ENGINE_*
  PRISMA_SCHEMA_ENGINE_* BUN_* DENO_* PYTHON* UV_* PIP_* PIPX_* PIPENV_* POETRY_* PYENV_*
  VIRTUAL_ENV* CONDA_* MAMBA_* PERL_* PERL5* PERLLIB RUBY* GEM_* BUNDLE_* RBENV_* JAVA_* JDK_*
  JRE_HOME CLASSPATH MAVEN_ARGS MAVEN_HOME M2_HOME GRADLE_HOME GRADLE_USER_HOME ANT_ARGS ANT_HOME
  DOTNET_* CORECLR_* COR_* COMPLUS_* NUGET_* MSBUILD* PHPRC PHP_* COMPOSER_* LUA_* LUAROCKS_* R_*
  RENV_* JULIA_* ERL_* ELIXIR_* MIX_* REBAR_* OCAML* GUILE_* TCLLIBPATH PUB_CACHE PUB_HOSTED_URL
  CC CXX CPP LD AR AS CFLAGS CXXFLAGS CPPFLAGS LDFLAGS CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH
  LIBRARY_PATH MAKEFLAGS MFLAGS GNUMAKEFLAGS MAKEFILES CMAKE_* PKG_CONFIG* SDKROOT DEVELOPER_DIR
  TOOLCHAINS GOAUTH GOBIN GOCACHE* GODEBUG GOENV GOEXPERIMENT GOFLAGS GOINSECURE GOMODCACHE
  GONOPROXY GONOSUMDB GOPATH GOPRIVATE GOPROXY GOROOT GOSUMDB GOTMPDIR GOTOOLCHAIN GOVCS GOWORK
  CGO_* CARGO* RUSTC* RUSTDOC* RUSTFLAGS RUSTUP_*
  GIT_* *EDITOR VISUAL *PAGER BROWSER *ASKPASS *_RSH *_WRAPPER SVN_SSH SUDO_* LESS LESSOPEN
  LESSCLOSE LESSKEY* VIM VIMINIT VIMRUNTIME EXINIT EMACS* FZF_* RIPGREP_CONFIG_PATH
  PUPPETEER_* PLAYWRIGHT_* CHROME_* CHROMIUM_* ELECTRON_* MOZ_* SE_*
  GTK_* GDK_* GIO_* GST_* QT_* LIBGL_DRIVERS_PATH VK_DRIVER_FILES VK_ICD_FILENAMES VK_LAYER_PATH
  MAGICK_* GS_LIB GDAL_* ODBCINI ODBCINSTINI ODBCSYSINI ORACLE_HOME TNS_ADMIN LIBMYSQL_* KRB5*
  SASL_* LDAPCONF LDAPRC LDAPTLS_* DBUS_* DISPLAY WAYLAND_DISPLAY XAUTHORITY
  KUBECONFIG KUBERNETES_* HELM_* DOCKER_* COMPOSE_* BUILDX_* CONTAINER_HOST CONTAINERS_* PODMAN_*
  TF_CLI_* TF_DATA_DIR TF_PLUGIN_* ANSIBLE_*
  SSL_* SSLKEYLOGFILE OPENSSL_* *_CA_BUNDLE *_CA_CERT *_CA_CERTS CURL_* WGETRC NETRC GRPC_* PGSSL*
  PGPASSFILE PGSERVICEFILE *_PROXY AWS_* BOTO_CONFIG CLOUDSDK_* GOOGLE_APPLICATION_CREDENTIALS
  GOOGLE_EXTERNAL_ACCOUNT_* AZURE_AUTHORITY_HOST AZURE_CONFIG_DIR SSH_AUTH_SOCK GNUPGHOME
`;

test("the page about variables has the names of the list, in their order", () => {
  const page = readFileSync(new URL("../docs/variables.md", import.meta.url), "utf8");
  const [, section = ""] = page.split("\n## What no request can set\n");
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  const names = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  assert.deepEqual(names, [...NEVER_SETTABLE]);
});

describe("a request", () => {
  test("never sets what changes how a program is found, loaded or run", () => {
    assert.deepEqual([...NEVER_SETTABLE], NEVER.trim().split(/\s+/));
    for (const name of ["NODE_OPTIONS", "node_options", "http_proxy", "Path", "AUTH_KEY", "port", "LD_"]) {
      assert.equal(isNeverSettable(name), true, name);
    }
  });

  test("sets what only sounds like it, and NODE_ENV and DEBUG", () => {
    for (const name of ["NODE_ENV", "DEBUG", "MYPATH", "HOMES", "PROXY", "PROXY_URL", "GITHUB_TOKEN"]) {
      assert.equal(isNeverSettable(name), false, name);
    }
  });

  test("sets what the operator names, by name, by PREFIX_* or by *", () => {
    assert.deepEqual(
      ["A", "B_1", "B_", "B", "AB", "b_1"].filter((name) => isAllowed(name, ["A", "B_*"])),
      process.platform === "win32" ? ["A", "B_1", "B_", "b_1"] : ["A", "B_1", "B_"],
    );
    assert.equal(isAllowed("ANYTHING", ["*"]), true);
    assert.equal(isAllowed("ANYTHING", []), false);
  });
});

describe("to allow", () => {
  const only = { command: "x" };
  const rows: readonly (readonly [entry: string, reason: string])[] = [
    ["PATH", "PATH can never be set by a request"],
    ["node_options", "node_options can never be set by a request"],
    ["LD_*", "LD_* can never be set by a request"],
    ["AUTH_KEY", "AUTH_KEY can never be set by a request"],
    ["auth_key", "auth_key is a URL parameter of Mayfly's own"],
    ["sessionId", "sessionId is a URL parameter of Mayfly's own"],
    ["*_TOKEN", 'expected a name, PREFIX_* or *, found "*_TOKEN"'],
    ["A-B", 'expected a name, PREFIX_* or *, found "A-B"'],
    ["", 'expected a name, PREFIX_* or *, found ""'],
  ];
  for (const [entry, reason] of rows) {
    test(`${JSON.stringify(entry)} is an error that says why, for all servers and for one`, () => {
      assert.throws(
        () => createHandler({ mcpServers: { only }, allowEnv: ["A", entry] }),
        new ConfigurationError(`allowEnv[1]: ${reason}`),
      );
      assert.throws(
        () => createHandler({ mcpServers: { only: { ...only, allowEnv: [entry] } } }),
        new ConfigurationError(`mcpServers.only.allowEnv[0]: ${reason}`),
      );
    });
  }

  test("names, prefixes, everything, and the exceptions is none", () => {
    const allowEnv = ["GITHUB_TOKEN", "DB_*", "*", "NODE_ENV", "DEBUG", "_x1"];
    assert.doesNotThrow(() => createHandler({ mcpServers: { only }, allowEnv }));
  });
});
