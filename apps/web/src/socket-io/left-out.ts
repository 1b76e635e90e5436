/**
 * Stands in for modules of the Socket.IO client that this chat never reaches, see webpack.config.ts. It speaks
 * WebSocket only, so there is no polling and no WebTransport; and it hands the client an address in parts, so there is
 * none to take apart.
 */
export const XHR = undefined
export const Fetch = undefined
export const WT = undefined
export const parse = undefined
