/* Which sources this library was made of. */
#ifndef HULIAN_STAMP
#define HULIAN_STAMP ""
#endif

const char *hulian_stamp(void);
const char *hulian_stamp(void) { return HULIAN_STAMP; }
