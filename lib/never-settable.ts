/**
 * Never set by a request, not even where the operator allows `*`: what changes how a program is found, loaded or run,
 * and what it trusts. In upper case; names compare in any case, as Windows, npm and proxies read them. What only names
 * somebody (USER) or says how to show something (TZ, LANG, TERM) is left out.
 */
export const NEVER_SETTABLE = [
  // Where programs, their settings and their files are.
  ...["PATH", "PATHEXT", "HOME", "HOMEDRIVE", "HOMEPATH", "USERPROFILE", "ALLUSERSPROFILE", "APPDATA"],
  ...["LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES*", "COMMONPROGRAMFILES*", "XDG_*", "PWD", "OLDPWD"],
  ...["TMPDIR", "TMP", "TEMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC"],
  // Shells: what they run at the start, and how they read a line.
  ...["SHELL", "IFS", "ENV", "BASH_*", "BASHOPTS", "SHELLOPTS", "PS4", "PROMPT_COMMAND", "ZDOTDIR"],
  ...["FPATH", "CDPATH", "PSMODULEPATH"],
  // Loaders of the system, and the files that the C library reads for every program.
  ...["LD_*", "DYLD_*", "LIBPATH", "SHLIB_PATH", "GCONV_PATH", "GLIBC_TUNABLES", "GETCONF_DIR"],
  ...["MALLOC*", "NSS_*", "LOCPATH", "NLSPATH", "TZDIR", "TERMINFO", "TERMINFO_DIRS", "TERMCAP"],
  ...["HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "RESOLV_*"],
  // Runtimes, version managers and package managers: options, modules and registries. Start scripts read APP_OPTS.
  ...["*_OPTS", "*_OPTIONS", "NODE_*", "NPM_CONFIG_*", "NPM_EXECPATH", "NPM_NODE_EXECPATH", "YARN_*"],
  ...["PNPM_*", "COREPACK_*", "NVM_*", "VOLTA_*", "ASDF_*", "MISE_*", "NIX_*", "TS_NODE_*", "TSX_*"],
  ...["ESBUILD_*", "SWC_*", "NAPI_RS_*", "PRISMA_QUERY_ENGINE_*", "PRISMA_SCHEMA_ENGINE_*", "BUN_*"],
  ...["DENO_*", "PYTHON*", "UV_*", "PIP_*", "PIPX_*", "PIPENV_*", "POETRY_*", "PYENV_*"],
  ...["VIRTUAL_ENV*", "CONDA_*", "MAMBA_*", "PERL_*", "PERL5*", "PERLLIB", "RUBY*", "GEM_*"],
  ...["BUNDLE_*", "RBENV_*", "JAVA_*", "JDK_*", "JRE_HOME", "CLASSPATH", "MAVEN_ARGS", "MAVEN_HOME"],
  ...["M2_HOME", "GRADLE_HOME", "GRADLE_USER_HOME", "ANT_ARGS", "ANT_HOME", "DOTNET_*", "CORECLR_*"],
  ...["COR_*", "COMPLUS_*", "NUGET_*", "MSBUILD*", "PHPRC", "PHP_*", "COMPOSER_*", "LUA_*"],
  ...["LUAROCKS_*", "R_*", "RENV_*", "JULIA_*", "ERL_*", "ELIXIR_*", "MIX_*", "REBAR_*", "OCAML*"],
  ...["GUILE_*", "TCLLIBPATH", "PUB_CACHE", "PUB_HOSTED_URL"],
  // Compilers and build tools. GO* would forbid GOOGLE_API_KEY.
  ...["CC", "CXX", "CPP", "LD", "AR", "AS", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CPATH"],
  ...["C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "MAKEFLAGS", "MFLAGS", "GNUMAKEFLAGS"],
  ...["MAKEFILES", "CMAKE_*", "PKG_CONFIG*", "SDKROOT", "DEVELOPER_DIR", "TOOLCHAINS", "GOAUTH"],
  ...["GOBIN", "GOCACHE*", "GODEBUG", "GOENV", "GOEXPERIMENT", "GOFLAGS", "GOINSECURE", "GOMODCACHE"],
  ...["GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOROOT", "GOSUMDB", "GOTMPDIR"],
  ...["GOTOOLCHAIN", "GOVCS", "GOWORK", "CGO_*", "CARGO*", "RUSTC*", "RUSTDOC*", "RUSTFLAGS"],
  "RUSTUP_*",
  // Programs that others run, and what these run in turn.
  ...["GIT_*", "*EDITOR", "VISUAL", "*PAGER", "BROWSER", "*ASKPASS", "*_RSH", "*_WRAPPER", "SVN_SSH"],
  ...["SUDO_*", "LESS", "LESSOPEN", "LESSCLOSE", "LESSKEY*", "VIM", "VIMINIT", "VIMRUNTIME", "EXINIT"],
  ...["EMACS*", "FZF_*", "RIPGREP_CONFIG_PATH"],
  // Browsers and their drivers: which program, with which arguments.
  ...["PUPPETEER_*", "PLAYWRIGHT_*", "CHROME_*", "CHROMIUM_*", "ELECTRON_*", "MOZ_*", "SE_*"],
  // Plug-ins that libraries load, and buses and displays that they connect to.
  ...["GTK_*", "GDK_*", "GIO_*", "GST_*", "QT_*", "LIBGL_DRIVERS_PATH", "VK_DRIVER_FILES"],
  ...["VK_ICD_FILENAMES", "VK_LAYER_PATH", "MAGICK_*", "GS_LIB", "GDAL_*", "ODBCINI", "ODBCINSTINI"],
  ...["ODBCSYSINI", "ORACLE_HOME", "TNS_ADMIN", "LIBMYSQL_*", "KRB5*", "SASL_*", "LDAPCONF", "LDAPRC"],
  ...["LDAPTLS_*", "DBUS_*", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"],
  // Clusters, containers and their tools, whose settings name programs to run.
  ...["KUBECONFIG", "KUBERNETES_*", "HELM_*", "DOCKER_*", "COMPOSE_*", "BUILDX_*", "CONTAINER_HOST"],
  ...["CONTAINERS_*", "PODMAN_*", "TF_CLI_*", "TF_DATA_DIR", "TF_PLUGIN_*", "ANSIBLE_*"],
  // Whom a program trusts, which way it goes there, and as whom: also those that name a file of the host's.
  ...["SSL_*", "SSLKEYLOGFILE", "OPENSSL_*", "*_CA_BUNDLE", "*_CA_CERT", "*_CA_CERTS", "CURL_*"],
  ...["WGETRC", "NETRC", "GRPC_*", "PGSSL*", "PGPASSFILE", "PGSERVICEFILE", "*_PROXY", "AWS_*"],
  ...["BOTO_CONFIG", "CLOUDSDK_*", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_EXTERNAL_ACCOUNT_*"],
  ...["AZURE_AUTHORITY_HOST", "AZURE_CONFIG_DIR", "SSH_AUTH_SOCK", "GNUPGHOME"],
] as const;
