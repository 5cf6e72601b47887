import type { MultiaddrConnection, Upgrader } from "@libp2p/interface";
import { Allowance, AllowancesByNet } from "./allowance.ts";
import { boundAnswers, boundNoMore } from "./answers.ts";
import { TransportError } from "./errors.ts";
import { netOf } from "./gater.ts";
import { Pending } from "./pending.ts";
import { letPause } from "./web-sockets.ts";

/** Pieces that a connection may bring before it is set up: some ten messages, the longest of a few hundred bytes. */
const mostPieces = 1024;
/** Connections that are being set up, of one address, or one /64 of IPv6, and of all: the library takes a thousand. */
const pending = { ofNet: 16, inAll: 512 } as const;
/** Those of one address, or one /64, that are begun: each takes some 2 ms. The library counts the addresses of a /64 one by one. */
const begun = { burst: 40, perSecond: 20 } as const;

/** The part of a connection that hands on what arrives. */
type Receiving = { onData(bytes: Uint8Array): void };

/** How connections that are being set up are bounded: before that nobody knows who they are of. */
export class Upgrades {
  readonly #pending = new Pending<MultiaddrConnection>({
    ...pending,
    end: (connection) => connection.abort(new TransportError("others are waiting to be set up")),
  });
  readonly #begun = new AllowancesByNet(() => new Allowance(begun));

  /** An upgrader that counts what comes while it sets a connection up, and how many it sets up for one address. */
  guard<U extends Upgrader>(upgrader: U): U {
    const upgradeInbound: Upgrader["upgradeInbound"] = (connection: MultiaddrConnection, options: never) =>
      orAborted(connection, () =>
        this.#inTurn(connection, () =>
          counted(connection, () => upgrader.upgradeInbound(connection, options)),
        ),
      );
    const upgradeOutbound: Upgrader["upgradeOutbound"] = (connection: MultiaddrConnection, options: never) =>
      orAborted(connection, () => counted(connection, () => upgrader.upgradeOutbound(connection, options)));
    const own: Partial<Upgrader> = { upgradeInbound, upgradeOutbound };
    return new Proxy(upgrader, {
      get(target, name) {
        if (Object.hasOwn(own, name)) return Reflect.get(own, name);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  async #inTurn<T>(connection: MultiaddrConnection, work: () => Promise<T>): Promise<T> {
    const net = netOf(connection.remoteAddr);
    // On this machine and in private networks addresses say little about who is there.
    if (net !== undefined && this.#begun.of(net).take() > 0) {
      throw new TransportError("too many connections of this address were made of late");
    }
    this.#pending.enter(connection, net);
    try {
      return await work();
    } finally {
      this.#pending.leave(connection);
    }
  }
}

/**
 * Ends a connection that is not set up. The library closes a WebSocket instead: it waits until all that was sent is read, which is
 * for the other end to do, reads on meanwhile, and has nobody hear of a failure, which ends the process.
 */
async function orAborted<T>(connection: MultiaddrConnection, work: () => Promise<T>): Promise<T> {
  letPause(connection);
  try {
    return await work();
  } catch (cause) {
    connection.abort(cause instanceof Error ? cause : new TransportError("it was not set up", { cause }));
    throw cause;
  }
}

/** Gives a connection up that brings too many pieces until it is set up, which the library keeps in lists, or has too much answered. */
async function counted<T>(connection: MultiaddrConnection, work: () => Promise<T>): Promise<T> {
  const receiving = connection as unknown as Receiving;
  const receive = receiving.onData.bind(connection);
  let pieces = 0;
  receiving.onData = (bytes) => {
    pieces++;
    if (pieces <= mostPieces) receive(bytes);
    else if (pieces === mostPieces + 1) connection.abort(new TransportError("it comes in too short pieces"));
  };
  boundAnswers(connection);
  try {
    return await work();
  } finally {
    receiving.onData = receive;
    boundNoMore(connection);
  }
}
