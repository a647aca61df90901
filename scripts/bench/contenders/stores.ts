/** In the working folder, beside other stores: a temporary folder may be memory, where making things durable is free. */
export const STORES = '.mutirao';
