/* The process of a pod's sandbox: holds the namespaces until it is told to go. */
#include <signal.h>

int main(void) {
    sigset_t ends;
    int signal;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, 0);
    return sigwait(&ends, &signal);
}
