/* stop.c — see stop.h. */
#include "coordinator/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t is_requested;

static void note(int signal)
{
    (void)signal;
    is_requested = 1;
}

int stop_listen(struct error *err)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    if (sigaction(SIGUSR1, &action, NULL) != 0)
        return error_set(err, EX_OSERR, "cannot listen for SIGUSR1: %s", strerror(errno));
    return 0;
}

bool stop_is_requested(void)
{
    return is_requested != 0;
}
