import { createLogger } from "../adapters/log.ts";
import type { ServeOptions } from "../adapters/node.ts";
import { ConfigurationError } from "../configuration/error.ts";
import type { FoundConfig } from "../configuration/find.ts";
import { TRANSPORTS } from "../configuration/options.ts";
import type { Settings } from "./serve-options.ts";

/** What the adapter is started with. @throws ConfigurationError for settings that do not go together */
export function adapterOptions(config: FoundConfig, settings: Settings): ServeOptions {
  const { config: _file, shell: _shell, namedServers: _named, shutdownTimeoutMs: _grace, ...rest } = settings;
  const { logLevel = "info", transport, endpoint: _endpoint, cors, ...options } = rest;
  const { allowedHosts = [], tls: _tls, tlsFiles: _files, keyFile: _keys, ...others } = options;
  const [paths, tls, authKeys] = [pathsOf(settings), tlsOf(settings), keysOf(settings)];
  return {
    ...config,
    ...others,
    ...(allowedHosts.length > 0 && { allowedHosts }),
    ...(authKeys && { authKeys }),
    ...(paths && { paths }),
    ...(tls && { tls }),
    ...(cors && { cors: completeCors(cors) }),
    transports: transport === undefined ? TRANSPORTS : [transport],
    logger: createLogger(logLevel),
    logMessages: logLevel === "debug",
  };
}

/** Keys that somebody has moved to a file must not go on to open the door from where they were. */
function keysOf({ authKeys, keyFile }: Settings): ServeOptions["authKeys"] {
  if (authKeys && keyFile) {
    throw new ConfigurationError(`${keyFile.writtenAs}: there are keys in --auth-key or AUTH_KEY already`);
  }
  return keyFile?.keys ?? authKeys;
}

function pathsOf({ paths, transport, endpoint }: Settings): ServeOptions["paths"] {
  if (endpoint === undefined) return paths;
  if (transport === undefined) throw new ConfigurationError("--endpoint: name its transport with --server");
  const named = paths?.[transport];
  if (named !== undefined && named !== endpoint) {
    throw new ConfigurationError(
      `--endpoint and --${transport}-path are the same option, with different values`,
    );
  }
  return { ...paths, [transport]: endpoint };
}

/** Credentials without a page to send them would do nothing, and whoever asked for them would not know. */
function completeCors({ origins = [], ...rest }: Settings["cors"] & {}): ServeOptions["cors"] & {} {
  if (rest.credentials && origins.length === 0) {
    throw new ConfigurationError("--cors-credentials: name the pages with --cors-origin");
  }
  return { origins, ...rest };
}

/**
 * @returns undefined where no option asks for HTTPS: a variable alone, which may be there for another program, does not
 * @throws ConfigurationError for an option that is missing
 */
export function tlsOf({ tls, tlsFiles }: Settings): ServeOptions["tls"] | undefined {
  if (!tls || !tlsFiles) return undefined;
  const { cert, key, ...rest } = tls;
  if (cert === undefined) throw new ConfigurationError("--ssl-cert: HTTPS needs a certificate");
  if (key === undefined) throw new ConfigurationError("--ssl-key: HTTPS needs a private key");
  return { ...rest, cert, key };
}
