/** In which a balancer of the tests says where an answer comes from, as host:port. */
export const INSTANCE = "x-instance";
