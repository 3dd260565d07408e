/* keep_modules.c — part of `etalon` in address-sanitizer builds only: libraries that were loaded stay loaded.
 *
 * Open MPI closes its modules before the leak check, which then cannot name where a block came from, and no line of
 * lsan.supp could match.
 */
#include <dlfcn.h>

__attribute__((visibility("default"))) int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
