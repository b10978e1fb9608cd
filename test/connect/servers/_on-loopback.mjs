// Imported before a program that listens on all addresses: it listens on 127.0.0.1, and tells on which port.
import { Server } from "node:net";

const { listen } = Server.prototype;

Server.prototype.listen = function (port, ...rest) {
  this.once("listening", () => console.log(`listening on http://127.0.0.1:${this.address().port}/`));
  const ready = rest.filter((argument) => typeof argument === "function");
  return listen.call(this, { port: Number(port), host: "127.0.0.1" }, ...ready);
};
process.stdin.once("end", () => process.exit()).resume();
