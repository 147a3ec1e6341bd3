import { clientNetwork } from '../../libs/runtime/client-network.ts';

export type AdmissionRefusal = 'total' | 'network';

/** Counts open connections of all listeners, in all and for each network, and says which may not be one more. */
export class Admission {
  readonly #maxConnections: number;
  readonly #maxPerNetwork: number;
  readonly #exempt: (address: string) => boolean;
  readonly #networks = new Map<string, number>();
  #connections = 0;

  /** Clients for which `exempt` is true aren't counted for their network. */
  constructor(
    limits: { maxConnections: number; maxConnectionsPerNetwork: number },
    exempt: (address: string) => boolean,
  ) {
    this.#maxConnections = limits.maxConnections;
    this.#maxPerNetwork = limits.maxConnectionsPerNetwork;
    this.#exempt = exempt;
  }

  /** Counts a connection in all. Undefined, or why not; what was counted must be let go by `leave`. */
  enter(): AdmissionRefusal | undefined {
    if (this.#connections >= this.#maxConnections) return 'total';
    this.#connections++;
    return undefined;
  }

  leave(): void {
    this.#connections--;
  }

  /** Counts a connection for the network of its client. A function that lets it go, or undefined when the network has too many. */
  enterNetwork(address: string): (() => void) | undefined {
    if (this.#exempt(address)) return () => {};
    const network = clientNetwork(address);
    const open = this.#networks.get(network) ?? 0;
    if (open >= this.#maxPerNetwork) return undefined;
    this.#networks.set(network, open + 1);
    return () => {
      const left = (this.#networks.get(network) ?? 1) - 1;
      if (left === 0) this.#networks.delete(network);
      else this.#networks.set(network, left);
    };
  }
}
