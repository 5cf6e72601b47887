import { webSockets } from "@libp2p/websockets";

/** More than any message of a peer that speaks the protocol: what Noise seals at a time has at most 65,535 bytes. */
const mostMessageBytes = 1 << 18;

/** What of the library's server is set here: it is that of `ws`. */
type Server = {
  options: { maxPayload: number };
  handleUpgrade(request: unknown, socket: unknown, head: unknown, accept: Accept): void;
};
type Accept = (socket: { on(event: "error", listener: () => void): void }, request: unknown) => void;

/**
 * WebSockets, for pages. The library takes messages of 100 MiB into memory before it knows who sends them; here a
 * connection that sends a longer one than makes sense is closed. And it does not listen for errors of a connection, so that
 * a frame that breaks the protocol (RFC 6455) would end the process; such a connection is closed by then.
 */
export function boundedWebSockets(): ReturnType<typeof webSockets> {
  const create = webSockets();
  return (components) => {
    const transport = create(components);
    const createListener = transport.createListener.bind(transport);
    transport.createListener = (options) => {
      const listener = createListener(options);
      const { wsServer } = listener as unknown as { wsServer: Server };
      wsServer.options.maxPayload = mostMessageBytes;
      const upgrade = wsServer.handleUpgrade.bind(wsServer);
      wsServer.handleUpgrade = (request, socket, head, accept) =>
        upgrade(request, socket, head, (opened, from) => {
          opened.on("error", () => undefined);
          accept(opened, from);
        });
      return listener;
    };
    return transport;
  };
}
