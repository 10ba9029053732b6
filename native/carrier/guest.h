/* What both guests do as the only process of their virtual machine: modules, ports, and shutting the door. */
#ifndef MOIETY_GUEST_H
#define MOIETY_GUEST_H

/* Whether this is process 1 of a machine; otherwise it is being tested over pipes. */
int guest_is_machine(void);

/* Loads the kernel modules of the image. Ends the machine if one does not load. */
void guest_load_modules(void);

/* Opens virtio port `number` (1, 2, ...), waiting until the kernel has found it. Ends the machine if it never does. */
int guest_open_port(int number);

/* From here on: no files, no capabilities, locked memory, and only the system calls of the list in guest.c. */
void guest_lock_down(void);

/* Waits for a moment while nobody is connected. Ends the machine after the time that the image was started with. */
void guest_nobody_there(void);
/* Somebody is connected again. */
void guest_somebody_there(void);

/* Ends the process, and with it the machine. `reason` goes to the kernel's console, where there is one. */
_Noreturn void guest_end(const char *reason);

#endif
