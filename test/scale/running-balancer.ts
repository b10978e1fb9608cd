/** A balancer with its instances, named as host:port. */
export interface RunningBalancer {
  /** Without a path. */
  readonly url: string;
  /** Resolves when new requests go to these alone, and those that went to others have been answered. */
  readonly sendOnlyTo: (instances: readonly string[]) => Promise<void>;
}
